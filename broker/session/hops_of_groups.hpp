// broker/session/hops_of_groups.hpp
//
// What fronts and lanes say to the lane of a group, and it to them. See broker/session/hop.hpp.
//
// Sans-IO values; all can be encoded. Frozen like records: they go from node to node.
#pragma once

#include "broker/session/hop_values.hpp"

namespace naru::broker {

// A place in a group's queue. number == 0: none.
struct GroupPlace {
  LaneId lane = 0;
  SessionNumber group = 0;
  std::uint64_t number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, group, number);
  }
};

enum class MemberState : std::uint8_t { connected, away, left };
enum class AnswerKind : std::uint8_t {
  done,      // The client has it, or it needs nobody any more.
  received,  // PUBREC: GroupTaken when the group has noted that.
  returned,  // Another member is to have it.
  unfit,     // This client cannot have it: too large, or not its right.
  failed,    // There was no room to store it.
};

namespace hop {

// Of a connection with a clean session, or of a session: it is a member, or no longer.
struct GroupMember {
  Bytes group;  // $share/NAME/FILTER
  Route::Kind kind = Route::Kind::connection;
  std::uint16_t place = 0;
  std::uint64_t owner = 0;
  MemberState state = MemberState::connected;
  std::uint8_t options = 0;
  std::uint32_t subscription_id = 0;
  std::uint16_t window = 0;
  ConnectionId reply = 0;  // Waits for GroupJoined; 0: nobody.
  std::uint16_t packet_id = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(group, kind, place, owner, state, options, subscription_id, window, reply, packet_id);
  }
};
struct GroupJoined {
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id);
  }
};
struct GroupLend {  // To a connection with a clean session.
  ConnectionId connection = 0;
  GroupPlace place;
  std::uint8_t options = 0;
  Carried message;
  std::vector<std::uint32_t> subscription_ids;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, place, options, message, subscription_ids);
  }
};
struct GroupAnswer {
  GroupPlace place;
  AnswerKind kind = AnswerKind::done;
  // received: who waits for GroupTaken. A connection, or a session and its queue number.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  LaneId lane = 0;
  SessionNumber session = 0;
  std::uint64_t number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(place, kind, connection, packet_id, lane, session, number);
  }
};
struct GroupTaken {  // PUBREL may go out.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  LaneId lane = 0;
  SessionNumber session = 0;
  std::uint64_t number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, lane, session, number);
  }
};

}  // namespace hop

inline hop::GroupAnswer answer_of(const GroupPlace& place, AnswerKind kind) {
  return {place, kind, 0, 0, 0, 0, 0};
}

}  // namespace naru::broker

// broker/session/lane_groups.hpp
//
// LaneGroups leads groups: who is a member, and which member gets the next message (group.hpp). And
// it does what a lane has to do for its own sessions that are members, wherever their group is led.
//
// Sans-IO. Lives on one shard. Owned by LaneParts.
// Bounded by: members and sessions there are, and what each may hold.
// Spec: MQTT 5.0 section 4.8.2.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "broker/session/lane_clients.hpp"
#include "broker/session/lane_context.hpp"

namespace naru::broker {

struct LaneParts;

class LaneGroups {
 public:
  LaneGroups(LaneContext& context, LaneParts& parts) : context_(context), parts_(parts) {}

  // ---- of both: what the cursor of a session or group has to say first ----
  bool cursor_begins(Session& session);  // True: somebody waits for it.
  void cursor_committed(Session& session);
  void cursor_failed(Session& session);

  // ---- of groups ----
  void on(hop::GroupMember& member);
  void on(const hop::GroupAnswer& answer);
  // Lends what waits to those whose turn it is.
  void dispatch(LaneState& lane, Session& session);
  // QoS 0: who is connected gets it at once, or nobody does.
  void pass_on(Group& group, const Carried& message, std::uint8_t options);
  // A PUBREC that waited until no other member can get its message: its PUBREL may go out.
  void confirm(const hop::GroupAnswer& answer);
  // Its record was not written, and these waited for it: tried again by retry().
  void failed(const Bytes& client_id, std::deque<ClientHop> waiting);
  void retry();

  // ---- of sessions that are members ----
  void on(const hop::GroupTaken& taken);
  void answer(const hop::GroupAnswer& answer);
  // The client of a session cannot take a message; it is another member's then. False: no group
  // has lent it.
  bool refuse_lent(LaneState& lane, Session& session, std::uint64_t number);
  void tell(MemberState state, LaneId lane, SessionNumber session, const storage::FilterRow& row);
  // It has connected, or is away.
  void tell_all(LaneState& lane, Session& session);
  // What of its lent messages has come to an end, in whatever way.
  void settle_lent(Session& session);
  // Its client has gone. Another member may have what it has not acknowledged, QoS 2 when the next
  // cursor says so; but a QoS 2 message that it may have seen waits for it, under the id it knows,
  // as long as the session lives.
  void give_back_lent(LaneState& lane, Session& session);
  void restart(LaneState& lane, Session& session);

 private:
  void open(const Bytes& client_id, hop::GroupMember& member);
  void end(LaneState& lane, Session& session);
  void lend(LaneState& lane, Session& session, std::uint64_t number, Group::Member& to);
  void to_member(const Group::Member& to, Carried message, std::uint8_t options);

  LaneContext& context_;
  LaneParts& parts_;
  TextMap<std::deque<ClientHop>> failed_;
  std::vector<std::pair<LaneId, SessionNumber>> stalled_;
};

}  // namespace naru::broker

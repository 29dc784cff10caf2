// broker/session/hops_to_lane.hpp
//
// What fronts (and, at the end, lanes) say to lanes. See broker/session/hop.hpp.
//
// Sans-IO values; all can be encoded. Frozen like records: they go from node to node.
#pragma once

#include "broker/session/hop_values.hpp"

namespace naru::broker::hop {

struct Attach {
  ConnectionId connection = 0;
  Bytes client_id, identity, address;
  std::uint8_t protocol = 4;
  bool clean_start = true;
  std::uint32_t expiry_s = 0;
  std::uint16_t receive_maximum = 0;
  std::uint16_t keep_alive_s = 0;
  std::optional<storage::WillRow> will;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, client_id, identity, address, protocol, clean_start, expiry_s, receive_maximum,
      keep_alive_s, will);
  }
};
struct Detach {
  ConnectionId connection = 0;
  Bytes client_id;
  bool publish_will = true;
  std::uint8_t reason = 0;
  std::optional<std::uint32_t> expiry_s;  // Changed by DISCONNECT.
  template <class Archive>
  void fields(Archive& a) {
    a(connection, client_id, publish_will, reason, expiry_s);
  }
};
struct Subscribe {
  LaneId lane = 0;
  ConnectionId connection = 0;
  SessionNumber session = 0;
  std::uint16_t packet_id = 0;
  std::vector<storage::FilterRow> filters;  // Those granted.
  Bytes codes;                              // Of the whole SUBACK.
  template <class Archive>
  void fields(Archive& a) {
    a(lane, connection, session, packet_id, filters, codes);
  }
};
struct Unsubscribe {
  LaneId lane = 0;
  ConnectionId connection = 0;
  SessionNumber session = 0;
  std::uint16_t packet_id = 0;
  std::vector<Bytes> filters;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, connection, session, packet_id, filters);
  }
};
struct PublishTo {
  Carried message;
  std::vector<Delivery> deliveries;
  bool once = false;  // The origin may come again and must count once.
  ReplyTo reply;
  template <class Archive>
  void fields(Archive& a) {
    a(message, deliveries, once, reply);
  }
};
// The last two: the front has not sent it, for the client's limit or its rights.
enum class AckKind : std::uint8_t { puback, pubrec, pubrec_refused, pubcomp, too_large, forbidden };
struct QueueAck {
  LaneId lane = 0;
  SessionNumber session = 0;
  std::uint64_t epoch = 0;
  std::uint16_t packet_id = 0;
  AckKind kind = AckKind::puback;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, session, epoch, packet_id, kind);
  }
};
struct Receive {  // A QoS 2 PUBLISH of a persistent session.
  LaneId lane = 0;
  ConnectionId connection = 0;
  SessionNumber session = 0;
  std::uint16_t packet_id = 0;
  bool durable = false;
  Carried message;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, connection, session, packet_id, durable, message);
  }
};
struct Release {  // Its PUBREL.
  LaneId lane = 0;
  ConnectionId connection = 0;
  SessionNumber session = 0;
  std::uint16_t packet_id = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, connection, session, packet_id);
  }
};
struct StreamAppend {
  LaneId lane = 0;
  Bytes stream, key;
  std::uint8_t note = 0;
  Bytes note_text;
  Carried message;
  bool once = false;
  ReplyTo reply;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, stream, key, note, note_text, message, once, reply);
  }
};
struct RetainedPut {
  Carried message;  // An empty payload clears.
  ReplyTo reply;
  template <class Archive>
  void fields(Archive& a) {
    a(message, reply);
  }
};
struct CommandOffer {  // A clean session has subscribed to its commands.
  Bytes device;
  ConnectionId connection = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(device, connection);
  }
};
struct CommandAcked {  // By a clean session; or, first, handed to it.
  Bytes device, id;
  bool sent = false;
  template <class Archive>
  void fields(Archive& a) {
    a(device, id, sent);
  }
};
struct CommandReply {
  Bytes device, id;
  storage::CommandState state = storage::CommandState::succeeded;
  Bytes result;
  ReplyTo reply;
  template <class Archive>
  void fields(Archive& a) {
    a(device, id, state, result, reply);
  }
};

// ---- lane -> lane -------------------------------------------------------------------------------
struct OriginForget {
  storage::OriginForgotten origin;
  template <class Archive>
  void fields(Archive& a) {
    a(origin);
  }
};

}  // namespace naru::broker::hop

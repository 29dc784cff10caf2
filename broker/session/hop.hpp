// broker/session/hop.hpp
//
// What fronts and lanes say to one another. Every hop is a value that can be encoded; on the same
// shard it is handed over in a queue, between shards in a mailbox, and under `front_hop encode`
// always as bytes, so that nothing can come to rely on a shared pointer.
//
// Sans-IO values. Made by one shard, consumed by one shard, in order per pair of shards.
//
//   front -> lane: Attach Detach Subscribe Unsubscribe PublishTo QueueAck Receive Release
//                  StreamAppend RetainedPut RetainedQuery CommandOffer CommandAcked CommandReply
//   lane -> front: Attached Evict Subscribed Unsubscribed QueueDeliver QueueRelease Received
//                  Completed Committed RetainedFound CommandDeliver
//   lane -> lane:  OriginForget
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "broker/routing/route_table.hpp"
#include "storage/base/archive.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

using ConnectionId = std::uint64_t;  // The shard in the top 16 bits, then a counter.
using LaneId = std::uint16_t;
using storage::SessionNumber;

inline std::uint16_t shard_of(ConnectionId id) { return static_cast<std::uint16_t>(id >> 48); }

// A message inside a hop: shared on the way between threads, bytes when encoded.
struct Carried {
  storage::MessageRef message;
  Carried() = default;
  Carried(storage::MessageRef m) : message(std::move(m)) {}  // NOLINT: a message is carried.
  void fields(Encoder& a) {
    a(message ? Bytes{message->encoded()} : Bytes{});
  }
  void fields(Decoder& a) {
    Bytes bytes;
    a(bytes);
    message = bytes.empty() ? nullptr : storage::Message::decode(std::move(bytes));
  }
};

// Who waits for the commit of a publish: a front's (or an outbox's) count of open parts.
struct ReplyTo {
  std::uint16_t shard = 0;
  std::uint64_t number = 0;  // 0: nobody waits.
  template <class Archive>
  void fields(Archive& a) {
    a(shard, number);
  }
};

struct Delivery {
  Route::Kind kind = Route::Kind::connection;
  std::uint16_t place = 0;
  std::uint64_t owner = 0;
  std::uint8_t options = 0;  // As in storage::Reference: QoS to deliver with, retain flag.
  std::vector<std::uint32_t> subscription_ids;
  template <class Archive>
  void fields(Archive& a) {
    a(kind, place, owner, options, subscription_ids);
  }
};

namespace hop {

// ---- front -> lane ------------------------------------------------------------------------------
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
enum class AckKind : std::uint8_t { puback, pubrec, pubrec_refused, pubcomp };
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
struct RetainedQuery {
  ConnectionId connection = 0;
  SessionNumber session = 0;
  std::vector<storage::FilterRow> filters;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, session, filters);
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

// ---- lane -> front ------------------------------------------------------------------------------
enum class AttachResult : std::uint8_t { accepted, wrong_identity, no_space };
struct Attached {
  ConnectionId connection = 0;
  AttachResult result = AttachResult::accepted;
  bool session_present = false;
  SessionNumber session = 0;
  std::uint64_t epoch = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, result, session_present, session, epoch);
  }
};
struct Evict {
  ConnectionId connection = 0;
  std::uint8_t reason = 0x8e;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, reason);
  }
};
struct Subscribed {
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  Bytes codes;
  std::vector<storage::FilterRow> retained_for;  // Filters whose retained messages are wanted.
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, codes, retained_for);
  }
};
struct Unsubscribed {
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  Bytes codes;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, codes);
  }
};
struct QueueDeliver {
  ConnectionId connection = 0;
  std::uint64_t epoch = 0;
  std::uint16_t packet_id = 0;  // 0: QoS 0, at once, from no queue.
  std::uint8_t options = 0;
  bool dup = false;
  Carried message;
  std::vector<std::uint32_t> subscription_ids;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, epoch, packet_id, options, dup, message, subscription_ids);
  }
};
struct QueueRelease {  // PUBREL to the subscriber.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id);
  }
};
struct Received {  // PUBREC may go out.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  bool failed = false;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, failed);
  }
};
struct Completed {  // PUBCOMP may go out.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  bool known = true;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, known);
  }
};
struct Committed {
  std::uint64_t number = 0;
  bool failed = false;
  template <class Archive>
  void fields(Archive& a) {
    a(number, failed);
  }
};
struct RetainedFound {
  ConnectionId connection = 0;
  SessionNumber session = 0;
  std::vector<Carried> messages;
  std::vector<std::uint8_t> options;  // Granted QoS of each; which filter found it does not matter.
  std::vector<std::uint32_t> subscription_ids;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, session, messages, options, subscription_ids);
  }
};
struct CommandDeliver {  // To a clean session that is connected; goes out if it subscribed.
  ConnectionId connection = 0;
  Bytes id;
  Carried message;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, id, message);
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

}  // namespace hop

// The tag of a hop between nodes is its place here. Append only.
using Hop = std::variant<hop::Attach, hop::Detach, hop::Subscribe, hop::Unsubscribe, hop::PublishTo,
                         hop::QueueAck, hop::Receive, hop::Release, hop::StreamAppend,
                         hop::RetainedPut, hop::RetainedQuery, hop::CommandOffer,
                         hop::CommandAcked, hop::CommandReply, hop::Attached, hop::Evict,
                         hop::Subscribed, hop::Unsubscribed, hop::QueueDeliver, hop::QueueRelease,
                         hop::Received, hop::Completed, hop::Committed, hop::RetainedFound,
                         hop::CommandDeliver, hop::OriginForget>;

}  // namespace naru::broker

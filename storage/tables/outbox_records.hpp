// storage/tables/outbox_records.hpp
//
// Records of messages the broker owes to the routes: QoS 2 publishes between PUBLISH and PUBCOMP,
// wills that have fired, and publishes that wait for their time; and of the origins it remembers
// so that each counts once.
//
// Sans-IO values, each with one description of its fields for encoding and decoding. Frozen: a
// released body never changes (storage/tables/records.hpp).
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/tables/session_records.hpp"

namespace naru::storage {

// A message the broker owes to the routes: a QoS 2 publish before its release, a will that has
// fired, or a publish that is not to go out before its time. Its id is the packed position of
// this record.
enum class OutboxKind : std::uint8_t { inbound, will, delayed };
struct OutboxRow {
  OutboxKind kind = OutboxKind::inbound;
  Bytes client_id;
  SessionNumber session = 0;    // inbound, and delayed of QoS 2: the publisher's.
  std::uint16_t packet_id = 0;  // The same; 0: no PUBREL will come.
  bool released = false;        // To be published; a will is from the start.
  StoreMillis due_at = 0;       // delayed: not before. Stored beside these fields (schema.hpp).
  // Whether its publisher may speak of it still: PUBCOMP of one that is delayed goes out before it.
  bool holds_packet_id() const {
    return kind == OutboxKind::inbound || (kind == OutboxKind::delayed && !released);
  }
  template <class Archive>
  void fields(Archive& a) {
    a(kind, client_id, session, packet_id, released);
  }
};
struct OutboxPut {
  OutboxRow row;
  SharedBytes message;
  template <class Archive>
  void fields(Archive& a) {
    a(row, message);
  }
};
struct DelayedPut {
  OutboxRow row;
  SharedBytes message;
  template <class Archive>
  void fields(Archive& a) {
    a(row, row.due_at, message);
  }
};
struct OutboxReleased {
  std::uint64_t id = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(id);
  }
};
// The origin of a message that was published under "once"; its steps need not be remembered.
struct OriginForgotten {
  std::uint64_t node = 0;
  std::uint32_t incarnation = 0;
  std::uint16_t shard = 0;
  std::uint64_t number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(node, incarnation, shard, number);
  }
};
struct OutboxErased {
  std::uint64_t id = 0;
  OriginForgotten origin;  // Of its message.
  template <class Archive>
  void fields(Archive& a) {
    a(id, origin);
  }
};

}  // namespace naru::storage

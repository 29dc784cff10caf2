// storage/tables/outbox_records.hpp
//
// Records of messages the broker owes to the routes: QoS 2 publishes between PUBLISH and PUBCOMP,
// and wills that have fired; and of the origins it remembers so that each counts once.
//
// Sans-IO values, each with one description of its fields for encoding and decoding. Frozen: a
// released body never changes (storage/tables/records.hpp).
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/tables/session_records.hpp"

namespace naru::storage {

// A message the broker owes to the routes: a QoS 2 publish before its release, or a will that
// has fired. Its id is the packed position of this record.
enum class OutboxKind : std::uint8_t { inbound, will };
struct OutboxRow {
  OutboxKind kind = OutboxKind::inbound;
  Bytes client_id;
  SessionNumber session = 0;    // inbound: the publisher's.
  std::uint16_t packet_id = 0;  // inbound: the publisher's.
  bool released = false;        // To be published; a will is from the start.
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

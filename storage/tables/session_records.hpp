// storage/tables/session_records.hpp
//
// Rows and records of sessions: who has one, what it wants, what waits in it, how far its client
// is.
//
// Sans-IO values, each with one description of its fields for encoding and decoding. Frozen: a
// released body never changes (storage/tables/records.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/base/archive.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::storage {

using SessionNumber = std::uint64_t;  // The packed position of the record that opened it.

struct WillRow {
  SharedBytes message;  // Encoded Message.
  std::uint32_t delay_s = 0;
  std::uint32_t expiry_s = 0;  // Counted from when it is published; 0: never.
  template <class Archive>
  void fields(Archive& a) {
    a(message, delay_s, expiry_s);
  }
};

// A client that has a session, a will, or both. number == 0: no session outlives the connection.
struct SessionRow {
  SessionNumber number = 0;
  Bytes identity;  // The user (or certificate) it belongs to; empty for anonymous.
  std::uint8_t protocol = 4;
  std::uint32_t expiry_s = 0;
  StoreMillis created_at = 0;
  // Of the newest connection. 0: there was none, and who connects first owns the session.
  std::uint64_t epoch = 0;
  bool connected = false;
  StoreMillis changed_at = 0;   // When it last connected or disconnected.
  WallMillis changed_wall = 0;  // The same for people.
  std::uint8_t reason = 0;      // Why it disconnected, an MQTT reason code.
  std::optional<WillRow> will;  // Not published yet.
  StoreMillis will_due_at = 0;  // When connected is false and there is a will.
  template <class Archive>
  void fields(Archive& a) {
    a(number, identity, protocol, expiry_s, created_at, epoch, connected, changed_at, changed_wall,
      reason, will, will_due_at);
  }
};

struct FilterRow {
  Bytes filter;
  std::uint8_t options = 0;  // As in SUBSCRIBE: QoS, no local, retain as published, handling.
  std::uint32_t subscription_id = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(filter, options, subscription_id);
  }
};

// A place in a session's queue. options: QoS to deliver with (bits 0-1), retain flag (bit 2).
struct Reference {
  SessionNumber session = 0;
  std::uint64_t number = 0;  // Of the queue, from 1, without gaps.
  std::uint8_t options = 0;
  std::vector<std::uint32_t> subscription_ids;
  template <class Archive>
  void fields(Archive& a) {
    a(session, number, options, subscription_ids);
  }
};

// How far a session's client has got with its queue.
struct CursorRow {
  std::uint64_t acked_through = 0;      // Everything up to here is done.
  std::uint64_t sent_through = 0;       // Everything up to here may have been sent before.
  std::vector<std::uint64_t> done;      // Done as well, ascending, all > acked_through + 1.
  std::vector<std::uint64_t> released;  // PUBREC seen: PUBREL is owed, PUBLISH never again.
  template <class Archive>
  void fields(Archive& a) {
    a(acked_through, sent_through, done, released);
  }
};

// ---- record bodies -----------------------------------------------------------------------------

struct SessionPut {
  Bytes client_id;
  SessionRow row;
  SessionNumber replaced = 0;  // The session that ends with this; 0 = none.
  template <class Archive>
  void fields(Archive& a) {
    a(client_id, row, replaced);
  }
};
struct SessionErased {
  Bytes client_id;
  SessionNumber number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(client_id, number);
  }
};
struct FiltersPut {
  SessionNumber session = 0;
  std::vector<FilterRow> filters;
  template <class Archive>
  void fields(Archive& a) {
    a(session, filters);
  }
};
struct FiltersErased {
  SessionNumber session = 0;
  std::vector<Bytes> filters;
  template <class Archive>
  void fields(Archive& a) {
    a(session, filters);
  }
};
struct Enqueued {
  SharedBytes message;
  std::vector<Reference> references;
  bool once = false;  // The origin is remembered until OriginForgotten.
  template <class Archive>
  void fields(Archive& a) {
    a(message, references, once);
  }
};
struct CursorPut {
  SessionNumber session = 0;
  CursorRow cursor;
  template <class Archive>
  void fields(Archive& a) {
    a(session, cursor);
  }
};

}  // namespace naru::storage

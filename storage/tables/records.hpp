// storage/tables/records.hpp
//
// The records of a lane: every durable change there is. A record carries the outcome of a
// decision the lane's leader made, never a question; applying it matches, counts and compares
// nothing. Each has a body with one description of its fields for encoding and decoding.
//
// Sans-IO values. Frozen: a released body never changes; a new shape is a new kind at the end of
// Body. Golden bytes of each are in test/storage/tables/golden.txt.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "storage/base/archive.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::storage {

using SessionNumber = std::uint64_t;  // The packed position of the record that opened it.

struct RecordHead {
  std::uint16_t lane = 0;
  std::uint32_t term = 0;
  std::uint64_t index = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, term, index);
  }
};

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
  std::uint64_t epoch = 0;       // Of the newest connection.
  bool connected = false;
  StoreMillis changed_at = 0;    // When it last connected or disconnected.
  WallMillis changed_wall = 0;   // The same for people.
  std::uint8_t reason = 0;       // Why it disconnected, an MQTT reason code.
  std::optional<WillRow> will;   // Not published yet.
  StoreMillis will_due_at = 0;   // When connected is false and there is a will.
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
  std::uint64_t acked_through = 0;       // Everything up to here is done.
  std::uint64_t sent_through = 0;        // Everything up to here may have been sent before.
  std::vector<std::uint64_t> done;       // Done as well, ascending, all > acked_through + 1.
  std::vector<std::uint64_t> released;   // PUBREC seen: PUBREL is owed, PUBLISH never again.
  template <class Archive>
  void fields(Archive& a) {
    a(acked_through, sent_through, done, released);
  }
};

enum class CommandState : std::uint8_t {
  queued, sent, delivered, accepted, running,                          // open
  succeeded, failed, rejected, expired, cancelled, superseded,         // ended
};

struct CommandStep {
  CommandState state = CommandState::queued;
  WallMillis at = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(state, at);
  }
};

struct CommandRow {
  Bytes device;
  Bytes id;
  Bytes name;
  Bytes payload;  // JSON text.
  WallMillis created_at = 0;
  WallMillis expires_wall = 0;
  StoreMillis expires_at = 0;
  std::vector<CommandStep> steps;  // The last one is the state it is in.
  Bytes result;                    // JSON text of the device's last answer; may be empty.
  SessionNumber session = 0;       // Where it is queued; 0: offered to a clean session.
  std::uint64_t queue_number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(device, id, name, payload, created_at, expires_wall, expires_at, steps, result, session,
      queue_number);
  }
};

// ---- bodies, in the order of their tags --------------------------------------------------------

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
// A message the broker owes to the routes: a QoS 2 publish before its release, or a will that
// has fired. Its id is the packed position of this record.
enum class OutboxKind : std::uint8_t { inbound, will };
struct OutboxRow {
  OutboxKind kind = OutboxKind::inbound;
  Bytes client_id;
  SessionNumber session = 0;     // inbound: the publisher's.
  std::uint16_t packet_id = 0;   // inbound: the publisher's.
  bool released = false;         // To be published; a will is from the start.
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
struct CommandPut {
  CommandRow row;
  template <class Archive>
  void fields(Archive& a) {
    a(row);
  }
};
struct CommandErased {
  Bytes device;
  Bytes id;
  template <class Archive>
  void fields(Archive& a) {
    a(device, id);
  }
};
struct StreamRow {
  Bytes key;
  std::uint64_t sequence = 0;  // Per (stream, key), from 1, without gaps.
  std::uint8_t note = 0;       // StreamNote of broker/stream/rule.hpp; 0 = none.
  Bytes note_text;
  SharedBytes message;
  template <class Archive>
  void fields(Archive& a) {
    a(key, sequence, note, note_text, message);
  }
};
struct StreamAppended {
  Bytes stream;
  std::uint64_t offset = 0;  // Per (stream, lane), from 1, without gaps.
  StreamRow row;
  bool once = false;  // As in Enqueued.
  template <class Archive>
  void fields(Archive& a) {
    a(stream, offset, row, once);
  }
};
// Everything before first_offset is gone.
struct StreamTrimmed {
  Bytes stream;
  std::uint64_t first_offset = 1;
  template <class Archive>
  void fields(Archive& a) {
    a(stream, first_offset);
  }
};
// How far the sequences of keys had come at an offset, so that a start reads only what follows.
struct KeySequence {
  Bytes key;
  std::uint64_t sequence = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(key, sequence);
  }
};
struct StreamMarked {
  Bytes stream;
  std::uint64_t offset = 0;
  std::uint64_t first_offset = 1;
  std::vector<KeySequence> keys;
  template <class Archive>
  void fields(Archive& a) {
    a(stream, offset, first_offset, keys);
  }
};
struct ConsumerPut {
  Bytes stream;
  Bytes consumer;
  Bytes cursor;
  template <class Archive>
  void fields(Archive& a) {
    a(stream, consumer, cursor);
  }
};

// The tag of a record is the place of its body here. Append only.
using Body = std::variant<SessionPut, SessionErased, FiltersPut, FiltersErased, Enqueued, CursorPut,
                          OutboxPut, OutboxReleased, OutboxErased, OriginForgotten, CommandPut,
                          CommandErased, StreamAppended, StreamTrimmed, StreamMarked, ConsumerPut>;

// Origin and stamp of a record are those of the message it carries, encoded inside it.
struct Record {
  RecordHead head;
  Body body;
};

Bytes encode_record(const Record& record);
bool decode_record(BytesView bytes, Record& record);

}  // namespace naru::storage

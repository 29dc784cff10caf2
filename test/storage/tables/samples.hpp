// test/storage/tables/samples.hpp
//
// One sample of everything the store keeps, with no field left at its default: what the golden
// bytes are made from.
//
// Sans-IO; pure. Frozen with test/storage/tables/golden.txt: a new kind gets a new sample, an old
// sample never changes.
#pragma once

#include <string>
#include <vector>

#include "storage/tables/message.hpp"
#include "storage/tables/records.hpp"

namespace naru::test {

struct NamedRecord {
  std::string name;
  storage::Record record;
};

inline storage::MessageView sample_view() {
  storage::MessageView view;
  view.origin = {0x0102030405060708, 300, 2, 70'000};
  view.stamp = {0x10000000005, 9, 1'700'000'000'123};
  view.expires_at = 5'000'000;
  view.qos = 2;
  view.retain = true;
  view.sender = "car-7";
  view.topic = "a/b";
  view.properties = BytesView{"\x01\x01", 2};
  view.payload = "hi";
  return view;
}
inline SharedBytes sample_message() {
  return storage::Message::encoded_of(storage::Message::make(sample_view()));
}
inline storage::SessionRow sample_session() {
  storage::SessionRow row;
  row.number = 0x10000000002;
  row.identity = "user";
  row.protocol = 5;
  row.expiry_s = 3600;
  row.created_at = 1000;
  row.epoch = 0x10000000007;
  row.connected = true;
  row.changed_at = 2000;
  row.changed_wall = 1'700'000'000'000;
  row.reason = 0x8e;
  row.will = storage::WillRow{sample_message(), 30, 60};
  row.will_due_at = 32'000;
  return row;
}
inline storage::CommandRow sample_command() {
  storage::CommandRow row;
  row.device = "car-7";
  row.id = "c1";
  row.name = "unlock";
  row.payload = "{\"door\":1}";
  row.created_at = 1'700'000'000'000;
  row.expires_wall = 1'700'000'060'000;
  row.expires_at = 61'000;
  row.steps = {{storage::CommandState::queued, 5}, {storage::CommandState::failed, 6}};
  row.result = "\"jammed\"";
  row.session = 0x10000000002;
  row.queue_number = 12;
  return row;
}

// Every kind of record, in the order of their tags.
inline std::vector<NamedRecord> sample_records() {
  using namespace storage;  // NOLINT: the records are the vocabulary of this function.
  const SessionNumber session = 0x10000000002;
  const OriginForgotten origin{0x0102030405060708, 300, 2, 70'000};
  SessionRow plain;
  plain.expiry_s = 1;
  const CursorRow cursor{7, 12, {9, 11}, {8, 10}};
  const OutboxRow outbox{OutboxKind::will, "car-7", session, 513, true};
  const std::vector<Reference> references{{session, 7, 6, {1, 200}}, {session + 1, 1, 1, {}}};
  const StreamRow row{"key", 3, 1, "why", sample_message()};
  const std::vector<Body> bodies = {
      SessionPut{"car-7", sample_session(), 0x10000000001},
      SessionErased{"car-7", session},
      FiltersPut{session, {{"a/+", 0x1d, 9}, {"#", 1, 0}}},
      FiltersErased{session, {"a/+", "#"}},
      Enqueued{sample_message(), references, true},
      CursorPut{session, cursor},
      OutboxPut{outbox, sample_message()},
      OutboxReleased{0x10000000009},
      OutboxErased{0x10000000009, origin},
      origin,
      CommandPut{sample_command()},
      CommandErased{"car-7", "c1"},
      StreamAppended{"telemetry", 5, row, true},
      StreamTrimmed{"telemetry", 4},
      StreamMarked{"telemetry", 5, 2, {{"key", 3}, {"other", 2}}},
      ConsumerPut{"telemetry", "reader", "token"},
      DelayedPut{{OutboxKind::delayed, "car-7", session, 513, true, 9'000}, sample_message()},
  };
  static constexpr const char* names[] = {
      "session_put",  "session_erased", "filters_put",     "filters_erased", "enqueued",
      "cursor_put",   "outbox_put",     "outbox_released", "outbox_erased",  "origin_forgotten",
      "command_put",  "command_erased", "stream_appended", "stream_trimmed", "stream_marked",
      "consumer_put", "delayed_put"};
  std::vector<NamedRecord> records;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    records.push_back({names[i], {{0x1f, 3, 300 + i}, bodies[i]}});
  }
  return records;
}

}  // namespace naru::test

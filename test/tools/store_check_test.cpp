// test/tools/store_check_test.cpp
//
// Goal: a check counts every row that cannot be read, in every table. Method: a model store with
// good rows and one that is cut short in each.

#include "tools/naru/store_check.hpp"

#include <catch2/catch.hpp>

#include "storage/kv/commit_batch.hpp"
#include "storage/kv/mem_kv.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/retained.hpp"
#include "storage/tables/schema.hpp"

namespace naru::tools {
namespace {

using namespace storage;  // NOLINT: rows and families.

MessageRef message() {
  MessageView view;
  view.topic = "a";
  view.payload = "x";
  return Message::make(view);
}

Bytes stream_row() {
  StreamRow row;
  row.key = "car1";
  row.sequence = 1;
  row.message = Message::encoded_of(message());
  return encode_row(row);
}

void put(MemKv& store, Family family, BytesView key, BytesView value) {
  Batch batch;
  batch.put(family, key, value);
  REQUIRE(store.commit(batch, Durability::synced).has_value());
}

}  // namespace

TEST_CASE("A check of good rows finds nothing wrong", "[store_check]") {
  MemKv store;
  put(store, Family::stream, stream_key(3, "s", 1), stream_row());
  put(store, Family::session, session_key(3, "car1"), encode_row(SessionRow{}));
  put(store, Family::meta, node_key, encode_row(NodeRow{7, store_format, 3}));
  put(store, Family::meta, time_key, encode_row(TimeRow{5'000, 6'000}));
  put(store, Family::meta, bridges_key, encode_row(BridgesRow{{{"house", "local.house7"}}}));
  Batch retained;
  write_retained(retained, "a", 1, message());
  REQUIRE(store.commit(retained, Durability::synced).has_value());
  const auto found = check_rows(store);
  REQUIRE(found.has_value());
  CHECK(found->unreadable == 0);
  CHECK(found->rows == 6);
  CHECK(found->stream_records == 1);
  CHECK(found->retained == 1);
}

TEST_CASE("A check counts what it cannot read", "[store_check]") {
  MemKv store;
  const Bytes row = stream_row();
  // Behind the mark a start would not read the first of them.
  put(store, Family::stream, stream_key(3, "s", 1), BytesView{row}.substr(0, row.size() - 1));
  put(store, Family::stream, stream_key(3, "s", 2), row);
  put(store, Family::session, session_key(3, "car1"), "\1");
  put(store, Family::retained, "a", "\1");
  put(store, Family::cursor, "short", "");
  const auto found = check_rows(store);
  REQUIRE(found.has_value());
  CHECK(found->stream_records == 2);
  CHECK(found->unreadable >= 4);
}

TEST_CASE("A number is missing from a queue unless its client is done with it", "[store_check]") {
  const bool done = GENERATE(true, false);
  MemKv store;
  SessionRow session;
  session.number = 77;
  CursorRow cursor;
  cursor.sent_through = 4;
  if (done) cursor.done = {2, 3};
  put(store, Family::session, session_key(3, "car1"), encode_row(session));
  put(store, Family::cursor, cursor_key(3, 77), encode_row(cursor));
  std::uint64_t entry = 0;
  for (const std::uint64_t number : {1u, 4u, 6u}) {
    Enqueued body{Message::encoded_of(message()), {Reference{77, number, 1, {}}}, false};
    CommitUnit unit;
    write_record(Record{{3, 1, number}, std::move(body)}, unit);
    CommitBatch batch;
    batch.add(unit, 0);
    REQUIRE(store.commit(batch.encode(++entry), Durability::synced).has_value());
  }
  const auto found = check_rows(store);
  REQUIRE(found.has_value());
  CHECK(found->queued == 3);
  CHECK(found->missing == (done ? 1u : 3u));
}

TEST_CASE("A check reads the node's own rows", "[store_check]") {
  MemKv store;
  const Bytes node = encode_row(NodeRow{7, store_format, 3});
  const auto [key, value] = GENERATE_COPY(values<std::pair<Bytes, Bytes>>({
      {Bytes{node_key}, node.substr(0, node.size() - 1)},
      {Bytes{node_key}, encode_row(NodeRow{7, store_format + 1, 3})},
      {Bytes{time_key}, "\2"},
      {"unknown", node},
  }));
  put(store, Family::meta, key, value);
  const auto found = check_rows(store);
  REQUIRE(found.has_value());
  CHECK(found->unreadable == 1);
}

}  // namespace naru::tools

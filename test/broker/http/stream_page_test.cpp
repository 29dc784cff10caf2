// test/broker/http/stream_page_test.cpp
//
// Goal: pages of a stream, put together, hold every record once and each lane in order, whatever
// the limits. Method: records of several lanes in the model store, read in pages.

#include "broker/http/stream_page.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "broker/stream/rule.hpp"
#include "storage/kv/mem_kv.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {
namespace {

using storage::Family, storage::MemKv;

storage::StreamRow row_of(BytesView payload, WallMillis received_at, std::uint64_t sequence = 1) {
  storage::MessageView view;
  view.topic = "vehicles/car1/telemetry";
  view.sender = "car1";
  view.payload = payload;
  view.stamp = {9, 4, received_at};
  storage::StreamRow row;
  row.key = "car1";
  row.sequence = sequence;
  row.message = storage::Message::encoded_of(storage::Message::make(view));
  return row;
}

struct Stream {
  MemKv store;
  StreamSpans spans{};

  void append(cluster::LaneId lane, BytesView payload, WallMillis received_at) {
    put(lane, storage::encode_row(row_of(payload, received_at)));
  }
  void put(cluster::LaneId lane, BytesView value) {
    storage::Batch batch;
    batch.put(Family::stream, storage::stream_key(lane, "s", spans[lane].end++), value);
    REQUIRE(store.commit(batch, storage::Durability::synced).has_value());
  }
  PageRequest request(std::size_t limit = 100) const { return {"s", {}, spans, 0, limit}; }
};

std::vector<Bytes> payloads(const Page& page) {
  std::vector<Bytes> list;
  for (const Bytes& text : page.records) {
    list.push_back(Json::parse(text).at("payload").get<Bytes>());
  }
  return list;
}

using List = std::vector<Bytes>;

}  // namespace

TEST_CASE("A page merges lanes by the time of receipt", "[http]") {
  Stream stream;
  stream.append(3, "a", 10);
  stream.append(3, "d", 40);
  stream.append(200, "b", 20);
  stream.append(7, "c", 30);
  const Page page = read_page(stream.store, stream.request());
  CHECK(payloads(page) == List{"a", "b", "c", "d"});
  CHECK_FALSE(page.more);
  CHECK(records_behind(page.next, stream.spans) == 0);
}

TEST_CASE("A lane stays in order where its times do not", "[http]") {
  Stream stream;
  stream.append(3, "first", 50);
  stream.append(3, "second", 10);
  stream.append(4, "other", 20);
  CHECK(payloads(read_page(stream.store, stream.request())) == List{"other", "first", "second"});
}

TEST_CASE("Pages of any size hold every record once", "[http]") {
  Stream stream;
  for (unsigned i = 0; i < 60; ++i) {
    stream.append(static_cast<cluster::LaneId>(i * 7 % 5), std::to_string(i), 1000 + i);
  }
  const std::size_t limit = GENERATE(1u, 7u, 59u, 60u, 61u);
  PageRequest request = stream.request(limit);
  List seen;
  for (bool more = true; more;) {
    const Page page = read_page(stream.store, request);
    REQUIRE(page.records.size() <= limit);
    REQUIRE_FALSE(page.records.empty());
    for (Bytes& payload : payloads(page)) seen.push_back(std::move(payload));
    request.from = page.next;
    more = page.more;
  }
  REQUIRE(seen.size() == 60);
  for (unsigned i = 0; i < 60; ++i) CHECK(seen[i] == std::to_string(i));
}

TEST_CASE("A page ends before it is too large, but never empty", "[http]") {
  Stream stream;
  const Bytes large(page_bytes_max * 2 / 3, 'x');
  for (int i = 0; i < 2; ++i) stream.append(1, large, 10);
  stream.append(1, Bytes(page_bytes_max + 1, 'y'), 10);
  PageRequest request = stream.request();
  for (const bool more : {true, true, false}) {
    const Page page = read_page(stream.store, request);
    CHECK(page.records.size() == 1);
    CHECK(page.more == more);
    request.from = page.next;
  }
}

TEST_CASE("Records older than the time asked for are passed over", "[http]") {
  Stream stream;
  stream.append(1, "old", 10);
  stream.append(1, "new", 20);
  stream.append(2, "old too", 19);
  PageRequest request = stream.request();
  request.since = 20;
  const Page page = read_page(stream.store, request);
  CHECK(payloads(page) == List{"new"});
  CHECK_FALSE(page.more);
}

TEST_CASE("A long way to the first record is gone in steps", "[http]") {
  Stream stream;
  for (std::size_t i = 0; i < page_rows_max + 10; ++i) stream.append(5, "old", 10);
  stream.append(5, "new", 20);
  stream.append(6, "later", 30);
  PageRequest request = stream.request();
  request.since = 20;
  const Page first = read_page(stream.store, request);
  CHECK(first.records.empty());
  CHECK(first.more);
  request.from = first.next;
  const Page second = read_page(stream.store, request);
  CHECK(payloads(second) == List{"new", "later"});
  CHECK_FALSE(second.more);
}

TEST_CASE("Rows that are gone or cannot be read do not stop a reader", "[http]") {
  Stream stream;
  stream.append(1, "a", 10);
  stream.put(1, "not a row");
  stream.append(1, "b", 20);
  ++stream.spans[1].end;  // Trimmed since the spans were asked for.
  const Page page = read_page(stream.store, stream.request());
  CHECK(payloads(page) == List{"a", "b"});
  CHECK_FALSE(page.more);
  CHECK(records_behind(page.next, stream.spans) == 0);
}

TEST_CASE("A cursor outside of what there is goes to its beginning", "[http]") {
  StreamSpans spans{};
  spans[0] = {5, 10, 5};
  StreamCursor cursor;
  cursor.next[0] = GENERATE(1u, 4u, 11u, 1000u);
  CHECK(clamp(cursor, spans).next[0] == 5);
  CHECK(records_behind(cursor, spans) == 5);
  cursor.next[0] = 10;
  CHECK(clamp(cursor, spans).next[0] == 10);
  CHECK(records_behind(cursor, spans) == 0);
}

TEST_CASE("A record is told as the contract says", "[http]") {
  const auto json = record_json({"s", 17, 3}, row_of("text", 1234, 6));
  REQUIRE(json.has_value());
  CHECK(dump(*json) == R"({"stream":"s","key":"car1","sequence":6,"lane":17,"offset":3,)"
                       R"("received_at":1234,"client_id":"car1","epoch":9,"publish":4,)"
                       R"("topic":"vehicles/car1/telemetry","payload":"text"})");
}

TEST_CASE("A payload is text where it is UTF-8 and base64 elsewhere", "[http]") {
  CHECK(record_json({"s", 1, 1}, row_of(Bytes("a\0b", 3), 1))->at("payload") == Bytes("a\0b", 3));
  const auto binary = record_json({"s", 1, 1}, row_of("\xff\xfe", 1));
  CHECK_FALSE(binary->contains("payload"));
  CHECK(binary->at("payload_base64") == "//4=");
}

TEST_CASE("A dead letter says why it is one", "[http]") {
  storage::StreamRow row = row_of("x", 1);
  CHECK_FALSE(record_json({"dead-letter", 1, 1}, row)->contains("note"));
  row.note = static_cast<std::uint8_t>(StreamNote::not_json);
  row.note_text = "${door}";
  const auto json = record_json({"dead-letter", 1, 1}, row);
  CHECK(json->at("note") == name(StreamNote::not_json));
  CHECK(json->at("note_text") == "${door}");
}

}  // namespace naru::broker

// test/support/history_test.cpp
//
// Goal: evidence stays what it was: payloads prove their identity, merged histories keep their
// order, and clock, hex and buffer do what tests rely on. Method: small tables and round trips.

#include "test/support/history.hpp"

#include <catch2/catch.hpp>

#include "test/support/exact_buffer.hpp"
#include "test/support/hex.hpp"
#include "test/support/manual_clock.hpp"

namespace naru::test {

TEST_CASE("A payload proves publisher, counter, topic and every byte", "[history]") {
  const std::size_t size = GENERATE(0u, 1u, 40u, 300u);
  const MessageId id{7, 42};
  const Bytes payload = payload_of(id, "a/b", size);
  CHECK(payload.size() >= size);
  MessageId found;
  REQUIRE(parse_payload(payload, "a/b", found));
  CHECK(found == id);
  CHECK_FALSE(parse_payload(payload, "a/c", found));
  CHECK_FALSE(parse_payload(payload + 'x', "a/b", found));
  for (std::size_t i = 0; i < payload.size(); ++i) {
    Bytes altered = payload;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    // Without filler a changed number is the true payload of another message; that is all.
    if (parse_payload(altered, "a/b", found)) CHECK(found != id);
    CHECK_FALSE(parse_payload(BytesView{payload}.substr(0, i), "a/b", found));
  }
}

TEST_CASE("A will is told from a message of the same client", "[history]") {
  const MessageId will = MessageId::will_of(3, 9);
  CHECK(will.is_will());
  CHECK_FALSE(MessageId{3, 9}.is_will());
  MessageId found;
  REQUIRE(parse_payload(payload_of(will, "w", 0), "w", found));
  CHECK(found == will);
}

TEST_CASE("Filters match topics as MQTT says", "[history][MQTT-4.7]") {
  struct Row {
    const char* filter;
    const char* topic;
    bool match;
  };
  const auto row = GENERATE(values<Row>({
      {"a/b", "a/b", true},
      {"a/b", "a", false},
      {"a", "a/b", false},
      {"a/#", "a", true},
      {"a/#", "a/b/c", true},
      {"#", "a/b", true},
      {"+", "a", true},
      {"+", "a/b", false},
      {"+/+", "/a", true},
      {"a/+", "a/", true},
      {"a/+/c", "a/b/c", true},
      {"a/+/c", "a/b/d", false},
      {"#", "$SYS/x", false},
      {"+/x", "$SYS/x", false},
      {"$SYS/#", "$SYS/x", true},
      {"a/b/#", "a", false},
      {"/+", "a", false},
      {"ab", "a", false},
  }));
  CAPTURE(row.filter, row.topic);
  CHECK(filter_matches(row.filter, row.topic) == row.match);
}

namespace {

Record record_at(int time, std::uint32_t client, std::uint32_t text) {
  Record record;
  record.at = Instant{Duration{time}};
  record.client = client;
  record.text = text;
  return record;
}

}  // namespace

TEST_CASE("Merged histories are ordered by time, keep texts and equal times stable", "[history]") {
  History first, second;
  first.add(record_at(1, 1, first.intern("one")));
  first.add(record_at(3, 1, first.intern("three")));
  second.add(record_at(1, 2, second.intern("uno")));
  second.add(record_at(2, 2, second.intern("one")));
  first.merge(second);
  std::string told;
  for (const Record& record : first.records()) told += first.text(record.text) + ' ';
  CHECK(told == "one uno one three ");
  CHECK_THAT(first.line(3), Catch::Contains("'three'"));
}

TEST_CASE("Two histories have one digest exactly when they are equal", "[history]") {
  History first, second;
  first.add(record_at(1, 1, first.intern("one")));
  second.add(record_at(1, 1, second.intern("one")));
  CHECK(first.digest() == second.digest());
  second.add(record_at(2, 1, 0));
  CHECK(first.digest() != second.digest());
}

TEST_CASE("A refused UNSUBSCRIBE leaves the subscription in place", "[history]") {
  const auto code = GENERATE(0x00, 0x11, 0x80);
  History history;
  const auto say = [&](Event event, int reason) {
    Record record = record_at(static_cast<int>(history.records().size()), 1, history.intern("t"));
    record.event = event;
    record.reason = static_cast<std::uint8_t>(reason);
    history.add(record);
  };
  say(Event::connect_sent, 0);
  say(Event::connack, 0);
  say(Event::subscribe_sent, 0);
  say(Event::suback, 1);
  say(Event::unsubscribe_sent, 0);
  say(Event::unsuback, code);
  const Timeline run{history};
  REQUIRE(run.sessions.size() == 1);
  REQUIRE(run.sessions[0].subscriptions.size() == 1);
  CHECK((run.sessions[0].subscriptions[0].gone == never) == (code == 0x80));
}

TEST_CASE("ManualClock moves both times together and jumps only the wall", "[clock]") {
  ManualClock clock{1000};
  for (int i = 0; i < 4; ++i) clock.advance(Duration{500});
  CHECK(clock.now() == Instant{Duration{2000}});
  CHECK(clock.wall() == 1002);
  clock.set_wall(5);
  CHECK(clock.now() == Instant{Duration{2000}});
  CHECK(clock.wall() == 5);
}

TEST_CASE("Hex text and bytes go both ways", "[hex]") {
  const Bytes bytes = from_hex("10 0E 00 04 'MQ T'\n05");
  CHECK(bytes.size() == 9);
  CHECK(to_hex(bytes) == "10 0e 00 04 4d 51 20 54 05");
  CHECK(from_hex(to_hex(bytes)) == bytes);
  CHECK(from_hex("").empty());
}

TEST_CASE("ExactBuffer shows the bytes it was given", "[exact_buffer]") {
  CHECK(ExactBuffer{"abc"}.view() == "abc");
  CHECK(ExactBuffer{""}.view().empty());
}

}  // namespace naru::test

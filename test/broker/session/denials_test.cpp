// test/broker/session/denials_test.cpp
//
// Goal: of all that is denied something is told at once, something each minute, and nothing is
// left out of the count; nobody silences somebody else. Method: denials by a clock of the test's.

#include "broker/session/denials.hpp"

#include <catch2/catch.hpp>

#include "test/support/manual_clock.hpp"

namespace naru::broker {
namespace {

using Kind = Denial::Kind;

struct Bench {
  void deny(Kind kind, const DeniedClient& who, BytesView topic = "t") {
    if (!denials.take(kind, who, clock.now())) return;
    denials.tell({kind, Bytes{who.client_id}, Bytes{who.user}, "10.0.0.1:5", Bytes{topic},
                  "no rule grants it", 0});
  }
  std::vector<Denial> told() { return std::exchange(output.denials, {}); }
  std::vector<Denial> told_after(Duration by) {
    clock.advance(by);
    denials.on_time(clock.now());
    return told();
  }

  test::ManualClock clock;
  ShardCounters counters;
  ShardOutput output;
  Denials denials{counters, output};
};

constexpr DeniedClient car{"car1", "alice", {}};

}  // namespace

TEST_CASE("What is denied again within the minute is told at its end", "[session][denials]") {
  Bench bench;
  bench.deny(Kind::publish, car, "first");
  const auto first = bench.told();
  REQUIRE(first.size() == 1);
  CHECK(first[0].topic == "first");
  CHECK(first[0].more == 0);
  bench.clock.advance(Seconds{1});
  for (const BytesView topic : {"second", "third", "fourth"}) {
    bench.deny(Kind::publish, car, topic);
  }
  CHECK(bench.told().empty());
  CHECK(bench.denials.next() == Instant{} + Seconds{60});
  CHECK(bench.told_after(Seconds{59} - Duration{1}).empty());
  const auto held = bench.told_after(Duration{1});
  REQUIRE(held.size() == 1);
  CHECK(held[0].kind == Kind::publish);
  CHECK(held[0].client_id == "car1");
  CHECK(held[0].user == "alice");
  CHECK(held[0].topic == "second");
  CHECK(held[0].more == 2);
  CHECK(bench.counters.denied_publishes == 4);

  bench.deny(Kind::publish, car);  // That line began a minute, too.
  CHECK(bench.told().empty());
  CHECK(bench.told_after(Seconds{60}).size() == 1);
}

TEST_CASE("A minute without a denial is the end of it", "[session][denials]") {
  Bench bench;
  CHECK(bench.denials.next() == Instant::never());
  bench.deny(Kind::publish, car);
  bench.told();
  CHECK(bench.told_after(Seconds{60}).empty());
  CHECK(bench.denials.next() == Instant::never());
  bench.deny(Kind::publish, car);
  CHECK(bench.told().size() == 1);
}

TEST_CASE("No denial silences one of another kind or of somebody else", "[session][denials]") {
  Bench bench;
  bench.deny(Kind::publish, car);
  bench.deny(Kind::subscribe, car);
  bench.deny(Kind::connect, car);
  bench.deny(Kind::publish, {"car2", "alice", {}});
  bench.deny(Kind::publish, {"car1", "bob", {}});
  bench.deny(Kind::connect, {"car1", "alice", "10.6.6.6"});  // Who only says so.
  bench.deny(Kind::connect, {"car1", "alice", "10.7.7.7"});
  bench.deny(Kind::connect, {"", "car1", "10.7.7.7"});
  bench.denials.turn_away(Kind::full, "10.7.7.7:1", bench.clock.now());
  CHECK(bench.told().size() == 9);
  bench.denials.turn_away(Kind::full, "10.7.7.7:2", bench.clock.now());
  CHECK(bench.told().empty());
}

TEST_CASE("What has to be told is told, and counted", "[session][denials]") {
  Bench bench;
  bench.deny(Kind::connect, car);
  bench.deny(Kind::connect, car);
  bench.told();
  for (int i = 0; i < 2; ++i) {
    bench.denials.insist({Kind::connect, "car1", "alice", {}, {}, "a reload", 0});
  }
  CHECK(bench.told().size() == 2);
  CHECK(bench.counters.denied_connects == 4);
}

TEST_CASE("Invented names fill the places and no more", "[session][denials]") {
  Bench bench;
  const std::size_t beyond = 100;
  for (std::size_t i = 0; i < Denials::places_most + beyond; ++i) {
    bench.deny(Kind::publish, {std::to_string(i), "u", {}});
  }
  CHECK(bench.told().size() == Denials::places_most + 1);  // One for all who found no place.
  const auto held = bench.told_after(Seconds{60});
  REQUIRE(held.size() == 1);
  CHECK(held[0].more == beyond - 2);
  CHECK(bench.told_after(Seconds{60}).empty());
  CHECK(bench.denials.next() == Instant::never());
}

TEST_CASE("What is held back keeps no long texts", "[session][denials]") {
  Bench bench;
  const Bytes topic = Bytes(Denials::held_text_most - 1, 't') + "\u00e9" + Bytes(60'000, 't');
  bench.deny(Kind::publish, car, topic);
  bench.deny(Kind::publish, car, topic);
  CHECK(bench.told().at(0).topic == topic);
  CHECK(bench.told_after(Seconds{60}).at(0).topic ==
        Bytes(Denials::held_text_most - 1, 't') + "...");
}

}  // namespace naru::broker

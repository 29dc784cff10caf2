// test/broker/command/ledger_test.cpp
//
// Goal: a command goes forward through its states and never leaves an end; what has ended is kept
// up to a bound. Method: the whole table of transitions, then counts.

#include "broker/command/ledger.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

CommandRow row(BytesView id, CommandState state, WallMillis created = 1) {
  CommandRow made;
  made.device = "car";
  made.id = Bytes{id};
  made.created_at = created;
  made.steps = {{state, created}};
  return made;
}

constexpr int state_count = 11;

}  // namespace

TEST_CASE("A command goes forward, and never out of an end", "[ledger]") {
  for (int from = 0; from < state_count; ++from) {
    for (int to = 0; to < state_count; ++to) {
      const auto before = static_cast<CommandState>(from);
      const auto after = static_cast<CommandState>(to);
      CHECK(may_follow(before, after) == (from < 5 && to > from));
    }
    const auto state = static_cast<CommandState>(from);
    CHECK(command_state(name(state)) == state);
    CHECK(has_ended(state) == (from >= 5));
    CHECK(device_may_report(state) == (from >= 3 && from <= 7));
  }
  CHECK_FALSE(command_state("nonsense"));
}

TEST_CASE("The ledger keeps the newest row of each command and counts them", "[ledger]") {
  Ledger ledger;
  ledger.put(row("b", CommandState::queued, 1));
  ledger.put(row("a", CommandState::queued, 2));
  CHECK(ledger.open() == 2);
  REQUIRE(ledger.of("car").size() == 2);
  CHECK(ledger.of("car")[0]->id == "b");
  ledger.put(row("b", CommandState::succeeded, 1));
  ledger.put(row("b", CommandState::succeeded, 1));
  CHECK(ledger.open() == 1);
  CHECK(ledger.ended() == 1);
  CHECK(state_of(*ledger.find("car", "b")) == CommandState::succeeded);
  CHECK(ledger.find("car", "c") == nullptr);
  ledger.erase("car", "b");
  ledger.erase("car", "b");
  ledger.erase("bus", "b");
  CHECK(ledger.ended() == 0);
  CHECK(ledger.of("bus").empty());
}

TEST_CASE("Beyond the bound the oldest ended command is surplus; open ones never", "[ledger]") {
  Ledger ledger;
  ledger.put(row("open", CommandState::sent, 0));
  for (std::size_t i = 1; i <= ended_kept; ++i) {
    ledger.put(row("c" + std::to_string(i), CommandState::failed, i));
  }
  CHECK(ledger.surplus("car") == nullptr);
  ledger.put(row("one more", CommandState::failed, 999));
  REQUIRE(ledger.surplus("car") != nullptr);
  CHECK(ledger.surplus("car")->id == "c1");
}

}  // namespace naru::broker

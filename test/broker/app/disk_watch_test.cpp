// test/broker/app/disk_watch_test.cpp
//
// Goal: streams give way first, then sessions, then commands, each just above its limit and not at
// it, and all come back by themselves. Method: a disk whose figures the test sets.

#include "broker/app/disk_watch.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

Config usual() {
  Config config;
  config.persistence_location = "/data";
  config.stream_disk_percent = 80;
  config.session_disk_percent = 90;
  config.ledger_disk_percent = 95;
  return config;
}

struct Bench {
  // Of 1,000,000 blocks.
  bool look_at(std::uint64_t used) {
    space = DiskSpace{used, 1'000'000 - used};
    return watch.look();
  }

  std::optional<DiskSpace> space = DiskSpace{0, 1'000'000};
  DiskWatch watch{usual(), [this] { return space; }};
};

constexpr DiskRoom all{true, true, true};
constexpr DiskRoom no_streams{false, true, true};
constexpr DiskRoom commands_only{false, false, true};
constexpr DiskRoom none{false, false, false};

}  // namespace

TEST_CASE("DiskWatch refuses just above a limit and not at it", "[disk]") {
  struct Row {
    std::uint64_t used;
    DiskRoom room;
  };
  const Row rows[] = {{0, all},
                      {799'999, all},
                      {800'000, all},
                      {800'001, no_streams},
                      {900'000, no_streams},
                      {900'001, commands_only},
                      {950'000, commands_only},
                      {950'001, none},
                      {1'000'000, none}};
  Bench bench;
  for (const Row& row : rows) {
    INFO(row.used << " of 1,000,000 used");
    bench.look_at(row.used);
    CHECK(bench.watch.room() == row.room);
  }
  for (std::size_t i = std::size(rows); i-- > 0;) {  // And back, without anybody's help.
    INFO(rows[i].used << " of 1,000,000 used, on the way back");
    bench.look_at(rows[i].used);
    CHECK(bench.watch.room() == rows[i].room);
  }
}

TEST_CASE("DiskWatch says when something else has room than before", "[disk]") {
  Bench bench;
  CHECK_FALSE(bench.look_at(500'000));
  CHECK_FALSE(bench.look_at(790'000));
  CHECK(bench.look_at(810'000));
  CHECK_FALSE(bench.look_at(890'000));
  CHECK(bench.look_at(960'000));
  CHECK(bench.look_at(100'000));
  CHECK(bench.watch.room() == all);
}

TEST_CASE("DiskWatch finds only less room when it looks often", "[disk]") {
  Bench bench;
  bench.look_at(850'000);
  bench.space = DiskSpace{700'000, 300'000};
  CHECK_FALSE(bench.watch.look_for_less());
  CHECK(bench.watch.room() == no_streams);
  bench.space = DiskSpace{910'000, 90'000};
  CHECK(bench.watch.look_for_less());
  CHECK(bench.watch.room() == commands_only);
  bench.space = DiskSpace{700'000, 300'000};
  CHECK(bench.watch.look());
  CHECK(bench.watch.room() == all);
}

TEST_CASE("DiskWatch keeps to what it knew while the disk does not answer", "[disk]") {
  Bench bench;
  bench.look_at(910'000);
  bench.space.reset();
  CHECK_FALSE(bench.watch.look());
  CHECK_FALSE(bench.watch.look_for_less());
  CHECK(bench.watch.room() == commands_only);
  bench.space = DiskSpace{};  // No blocks at all: nothing is known to be full.
  bench.watch.look();
  CHECK(bench.watch.room() == all);
}

TEST_CASE("DiskWatch names what is refused, and nothing while all is taken", "[disk]") {
  Bench bench;
  bench.look_at(800'000);
  CHECK(bench.watch.problems().empty());
  bench.look_at(960'000);
  const auto problems = bench.watch.problems();
  REQUIRE(problems.size() == 1);
  for (const char* word : {"/data", "96 %", "streams", "sessions", "commands"}) {
    INFO(word);
    CHECK(problems[0].find(word) != std::string::npos);
  }
}

TEST_CASE("DiskWatch measures a real directory", "[disk]") {
  Config config = usual();
  config.persistence_location = "/";
  config.stream_disk_percent = config.session_disk_percent = config.ledger_disk_percent = 0;
  DiskWatch watch{config};
  CHECK(watch.look());  // Something is in use.
  CHECK(watch.room() == none);
}

}  // namespace naru::broker

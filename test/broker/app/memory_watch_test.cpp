// test/broker/app/memory_watch_test.cpp
//
// Goal: work is refused from the mark on and until a tenth below it, and memory that is only not
// given back does not count. Method: a process whose figures the test sets.

#include "broker/app/memory_watch.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

struct Bench {
  bool look_at(std::uint64_t used_now, std::uint64_t freed_now = 0) {
    used = used_now;
    freed = freed_now;
    return watch.look();
  }

  std::uint64_t used = 0, freed = 0;
  int given_back = 0;
  MemoryWatch watch{1000,
                    {[this] { return used; },
                     [this] {
                       used -= freed;
                       ++given_back;
                     }}};
};

}  // namespace

TEST_CASE("MemoryWatch refuses from its mark on, until there is room", "[memory]") {
  Bench bench;
  CHECK_FALSE(bench.look_at(999));
  CHECK_FALSE(bench.watch.is_high());
  CHECK(bench.watch.problems().empty());
  CHECK(bench.look_at(1000));
  CHECK(bench.watch.is_high());
  CHECK(bench.watch.problems().size() == 1);
  CHECK_FALSE(bench.look_at(900));
  CHECK(bench.watch.is_high());
  CHECK(bench.look_at(899));
  CHECK_FALSE(bench.watch.is_high());
  CHECK_FALSE(bench.look_at(999));
}

TEST_CASE("MemoryWatch gives back what is free before it refuses", "[memory]") {
  Bench bench;
  CHECK_FALSE(bench.look_at(999, 500));
  CHECK(bench.given_back == 0);
  CHECK_FALSE(bench.look_at(1500, 501));
  CHECK(bench.given_back == 1);
  CHECK(bench.watch.used() == 999);
  CHECK(bench.look_at(1500, 500));
  CHECK(bench.look_at(1500, 601));  // And while it refuses.
}

TEST_CASE("MemoryWatch looks more often near its mark", "[memory]") {
  Bench bench;
  bench.look_at(100);
  CHECK(bench.watch.look_every() == Millis{1000});
  bench.look_at(750);
  CHECK(bench.watch.look_every() == Millis{100});
}

TEST_CASE("MemoryWatch knows this process and this machine", "[memory]") {
  MemoryWatch watch{0};
  CHECK_FALSE(watch.look());
  CHECK(watch.used() > 1024 * 1024);
  CHECK(watch.limit() > watch.used());
}

}  // namespace naru::broker

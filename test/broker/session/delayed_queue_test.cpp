// test/broker/session/delayed_queue_test.cpp
//
// Goal: what is due comes in the order of its time, no more at once than the limit, and each client
// is counted. Method: places go in, time goes on.

#include <catch2/catch.hpp>

#include "broker/session/delayed_queue.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

TEST_CASE("DelayedQueue gives out what is due, earliest first", "[session][delayed]") {
  DelayedQueue queue;
  queue.wait({300, 1, 7});
  queue.wait({100, 2, 9});
  queue.wait({100, 2, 8});
  CHECK_FALSE(queue.take_due(99));
  CHECK(queue.take_due(100)->id == 8);
  CHECK(queue.take_due(100)->id == 9);
  CHECK_FALSE(queue.take_due(299));
  CHECK(queue.take_due(1'000)->id == 7);
  CHECK_FALSE(queue.take_due(1'000));
}

TEST_CASE("DelayedQueue keeps the order of what it has given out", "[session][delayed]") {
  DelayedQueue queue;
  CHECK_FALSE(queue.first_taken());
  queue.wait({100, 2, 8});
  queue.wait({200, 1, 3});
  queue.take_due(200);
  queue.take_due(200);
  queue.landed(2, 8);  // Whatever becomes of it.
  CHECK(queue.first_taken()->id == 8);
  queue.pass();
  CHECK(queue.first_taken()->id == 3);
  queue.pass();
  CHECK_FALSE(queue.first_taken());
}

TEST_CASE("DelayedQueue has a limited number on their way", "[session][delayed]") {
  DelayedQueue queue;
  for (std::uint64_t id = 1; id <= limits::delayed_at_once + 2; ++id) queue.wait({1, 0, id});
  for (std::uint64_t id = 1; id <= limits::delayed_at_once; ++id) CHECK(queue.take_due(1));
  CHECK_FALSE(queue.take_due(1));
  queue.landed(0, 3);
  queue.landed(0, 3);  // Told twice it counts once.
  CHECK(queue.take_due(1));
  CHECK_FALSE(queue.take_due(1));
}

TEST_CASE("DelayedQueue gives out nothing before the end of a pause", "[session][delayed]") {
  DelayedQueue queue;
  queue.wait({1, 0, 1});
  queue.pause(50);
  CHECK_FALSE(queue.take_due(49));
  CHECK(queue.take_due(50));
}

TEST_CASE("DelayedQueue counts each client's", "[session][delayed]") {
  DelayedQueue queue;
  queue.count("a");
  queue.count("a");
  queue.count("b");
  CHECK(queue.of_client("a") == 2);
  CHECK(queue.of_client("c") == 0);
  CHECK(queue.size() == 3);
  queue.discount("a");
  queue.discount("b");
  CHECK(queue.of_client("a") == 1);
  CHECK(queue.of_client("b") == 0);
  CHECK(queue.size() == 1);
}

}  // namespace naru::broker

// test/broker/session/queue_drop_test.cpp
//
// Goal: a queue that drops its oldest stays as small as its limit, whatever was sent before.
// Method: a session that goes away with messages in flight and is dropped from, again and again.

#include <catch2/catch.hpp>

#include "broker/session/session_queue.hpp"

namespace naru::broker {
namespace {

void enqueue(SessionQueue& queue, std::uint8_t qos) {
  SessionQueue::Entry entry;
  entry.journal_number = queue.last() + 1;
  entry.options = qos;
  queue.enqueue(queue.last() + 1, entry, {});
}

// Of `count` messages the client got the first two, and then was gone.
SessionQueue left_behind(std::uint64_t count, std::uint8_t qos) {
  SessionQueue queue;
  for (std::uint64_t number = 1; number <= count; ++number) enqueue(queue, qos);
  queue.attach(2);
  queue.on_sent(1);
  queue.on_sent(2);
  queue.detach();
  return queue;
}

}  // namespace

TEST_CASE("SessionQueue drops what was sent, too, while its client is away", "[session]") {
  SessionQueue queue = left_behind(5, 1);
  for (std::uint64_t number = 1; number <= 1'000; ++number) {
    CHECK(queue.drop_oldest_waiting() == number);
    enqueue(queue, 1);
  }
  CHECK(queue.size() == 5);
  CHECK(queue.take_cursor().done.empty());
}

TEST_CASE("SessionQueue keeps what a client of QoS 2 may know", "[session][MQTT-4.3.3]") {
  SessionQueue queue = left_behind(5, 2);
  CHECK(queue.drop_oldest_waiting() == 3);
  CHECK(queue.drop_oldest_waiting() == 4);
  queue.attach(2);
  CHECK(queue.next_to_send() == 1);
}

TEST_CASE("SessionQueue drops nothing that is on its way to its client", "[session]") {
  SessionQueue queue = left_behind(3, 1);
  queue.attach(1);
  queue.on_sent(1);
  CHECK(queue.drop_oldest_waiting() == 2);
  CHECK(queue.drop_oldest_waiting() == 3);
  CHECK(queue.drop_oldest_waiting() == 0);
}

}  // namespace naru::broker

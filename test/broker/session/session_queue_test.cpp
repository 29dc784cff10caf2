// test/broker/session/session_queue_test.cpp
//
// Goal: a queue hands out ids that any replica computes, never two open at once, keeps within its
// window, and a cursor says all that has to outlive a crash. Method: the pictures of its header as
// short dialogues, then random lives in which a second queue follows by cursors alone.

#include "broker/session/session_queue.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "storage/base/rng.hpp"

namespace naru::broker {
namespace {

using State = SessionQueue::State;

SessionQueue::Entry entry(std::uint8_t qos, std::uint32_t size = 10) {
  SessionQueue::Entry made;
  made.options = qos;
  made.size = size;
  made.journal_number = 7;
  return made;
}

SessionQueue queue_of(std::uint64_t count, std::uint8_t qos) {
  SessionQueue queue;
  for (std::uint64_t i = 1; i <= count; ++i) queue.enqueue(queue.reserve(), entry(qos), {});
  return queue;
}

// Sends what the window allows; the numbers in order.
std::vector<std::uint64_t> send_all(SessionQueue& queue) {
  std::vector<std::uint64_t> sent;
  while (const std::uint64_t number = queue.next_to_send()) {
    sent.push_back(number);
    queue.on_sent(number);
  }
  return sent;
}

Bytes durable(const SessionQueue& queue) {
  Bytes out;
  queue.encode_durable(out);
  return out;
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("A queue number gives its packet id, and an open id its number", "[queue]") {
  CHECK(SessionQueue::packet_id_of(1) == 2);
  CHECK(SessionQueue::packet_id_of(32'766) == 32'767);
  CHECK(SessionQueue::packet_id_of(32'767) == 1);
  CHECK(SessionQueue::packet_id_of(32'768) == 2);
  SessionQueue queue = queue_of(40'000, 1);
  queue.attach(20);
  std::uint64_t expected = 0;
  while (expected < 40'000) {
    for (const std::uint64_t number : send_all(queue)) REQUIRE(number == ++expected);
    for (std::uint64_t number = queue.acked_through() + 1; number <= expected; ++number) {
      REQUIRE(queue.find(SessionQueue::packet_id_of(number)) == number);
    }
    while (queue.in_flight() > 0) REQUIRE(queue.on_puback(queue.acked_through() + 1));
  }
  CHECK(queue.size() == 0);
  CHECK(queue.bytes() == 0);
  CHECK(queue.find(0) == 0);
  CHECK(queue.find(32'768) == 0);
}

TEST_CASE("The window bounds what is in flight", "[queue]") {
  SessionQueue queue = queue_of(5, 1);
  CHECK(queue.next_to_send() == 0);  // Nobody is attached.
  queue.attach(2);
  CHECK(send_all(queue) == Numbers{1, 2});
  CHECK_FALSE(queue.on_pubcomp(1));  // QoS 1 knows no PUBCOMP, and no PUBREC.
  CHECK_FALSE(queue.on_pubrec(1));
  CHECK(queue.on_puback(2));
  CHECK_FALSE(queue.on_puback(2));
  CHECK(send_all(queue) == Numbers{3});
  CHECK(queue.acked_through() == 0);
  CHECK(queue.on_puback(1));
  CHECK(queue.acked_through() == 2);
  CHECK(send_all(queue) == Numbers{4});
  queue.detach();
  CHECK(queue.next_to_send() == 0);
  queue.attach(20);
  CHECK(send_all(queue) == Numbers{3, 4, 5});
  CHECK(queue.sent_before(5));
}

TEST_CASE("QoS 2 goes through its states once, PUBREL after the commit", "[queue]") {
  SessionQueue queue = queue_of(1, 2);
  queue.attach(5);
  CHECK(send_all(queue) == Numbers{1});
  CHECK_FALSE(queue.on_puback(1));
  CHECK_FALSE(queue.on_pubcomp(1));
  CHECK(queue.on_pubrec(1));
  CHECK(queue.at(1).state == State::releasing);
  CHECK(queue.cursor_urgent());
  CHECK(queue.on_pubrec(1));
  CHECK(queue.take_released().empty());
  CHECK_FALSE(queue.on_pubcomp(1));
  const storage::CursorRow cursor = queue.take_cursor();
  CHECK(cursor.released == Numbers{1});
  queue.apply(cursor);
  CHECK(queue.take_released() == Numbers{1});
  CHECK(queue.at(1).state == State::released);
  CHECK(queue.on_pubrec(1));  // Asked again: PUBREL again.
  CHECK(queue.take_released() == Numbers{1});
  CHECK(queue.on_pubcomp(1));
  CHECK(queue.acked_through() == 1);
}

TEST_CASE("A release counts as in flight after a reconnect, and is never sent as PUBLISH",
          "[queue]") {
  SessionQueue queue = queue_of(3, 2);
  queue.attach(2);
  send_all(queue);
  queue.on_pubrec(1);
  queue.apply(queue.take_cursor());
  queue.detach();
  queue.attach(2);
  CHECK(queue.next_to_send() == 1);
  CHECK(queue.at(1).state == State::released);
  CHECK(send_all(queue) == Numbers{1, 2});
  CHECK(queue.in_flight() == 2);
}

TEST_CASE("An entry waits while its packet id is still open", "[queue]") {
  SessionQueue queue = queue_of(40'000, 1);
  queue.attach(65'535);
  std::uint64_t newest = 0;
  for (const std::uint64_t number : send_all(queue)) newest = number;
  CHECK(newest == 32'767);
  for (std::uint64_t number = 2; number <= newest; ++number) REQUIRE(queue.on_puback(number));
  CHECK(queue.next_to_send() == 0);  // 32768 would have the id of 1.
  CHECK(queue.on_puback(1));
  CHECK(queue.next_to_send() == 32'768);
}

TEST_CASE("Reserved numbers can be given back, missing ones be passed over", "[queue]") {
  SessionQueue queue = queue_of(2, 1);
  CHECK(queue.reserve() == 3);
  CHECK(queue.reserve() == 4);
  CHECK(queue.waiting() == 4);
  queue.rewind();
  CHECK(queue.waiting() == 2);
  CHECK(queue.reserve() == 3);
  queue.rewind();
  CHECK(queue.skip_to(6) == 3);
  queue.enqueue(6, entry(1), {});
  CHECK(queue.waiting() == 3);
  queue.attach(10);
  CHECK(send_all(queue) == Numbers{1, 2, 6});
  queue.enqueue(6, entry(1), {});  // Again: nothing.
  CHECK(queue.last() == 6);
}

TEST_CASE("What is dropped frees its place and its bytes", "[queue]") {
  SessionQueue queue = queue_of(4, 1);
  CHECK(queue.bytes() == 40);
  queue.attach(1);
  send_all(queue);
  CHECK(queue.drop_oldest_waiting() == 2);
  CHECK(queue.bytes() == 30);
  queue.drop(1);  // In flight.
  CHECK(queue.in_flight() == 0);
  CHECK(queue.acked_through() == 2);
  CHECK(send_all(queue) == Numbers{3});
  queue.detach();
  CHECK(queue.drop_oldest_waiting() == 3);  // Sent, and its client is away.
}

TEST_CASE("Lists of subscription ids are kept with their entries", "[queue]") {
  SessionQueue queue;
  queue.enqueue(1, entry(1), {7});
  queue.enqueue(2, entry(1), {});
  queue.enqueue(3, entry(1), {7, 9});
  queue.enqueue(4, entry(1), {7});
  CHECK(queue.subscription_ids(queue.at(1)) == std::vector<std::uint32_t>{7});
  CHECK(queue.subscription_ids(queue.at(2)).empty());
  CHECK(queue.subscription_ids(queue.at(3)) == std::vector<std::uint32_t>{7, 9});
  CHECK(queue.at(1).ids == queue.at(4).ids);
}

namespace {

// One random step of a client's life with its queue.
void random_step(SessionQueue& queue, Rng& rng) {
  const std::uint64_t at = queue.acked_through() + 1 + rng.below(8);
  const std::uint64_t number = queue.find(SessionQueue::packet_id_of(at));
  switch (rng.below(7)) {
    case 0:
      queue.attached() ? queue.detach() : queue.attach(std::uint16_t(1 + rng.below(6)));
      break;
    case 1:
    case 2: {
      const std::uint64_t next = queue.next_to_send();
      if (next != 0) queue.on_sent(next);
      break;
    }
    case 3:
      if (number != 0) queue.on_puback(number);
      break;
    case 4:
      if (number != 0) queue.on_pubrec(number);
      break;
    case 5:
      if (number != 0) queue.on_pubcomp(number);
      break;
    case 6:
      if (at <= queue.last() && rng.chance(0.2)) queue.drop(at);
      break;
  }
}

}  // namespace

TEST_CASE("Whoever has the entries and the cursors knows what the leader knows", "[queue]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    Rng rng{seed};
    SessionQueue leader, follower;
    for (int step = 0; step < 300; ++step) {
      if (rng.chance(0.2)) {
        const auto qos = static_cast<std::uint8_t>(1 + rng.below(2));
        const std::uint64_t number = leader.reserve();
        leader.enqueue(number, entry(qos), {});
        follower.enqueue(number, entry(qos), {});
      }
      random_step(leader, rng);
      if (!leader.cursor_dirty() || rng.chance(0.5)) continue;
      Bytes bytes;
      encode_fields(leader.take_cursor(), bytes);
      storage::CursorRow cursor;
      REQUIRE(decode_fields(bytes, cursor));
      leader.apply(cursor);
      leader.take_released();
      follower.apply(cursor);
      REQUIRE(durable(leader) == durable(follower));
      follower.apply(cursor);  // Twice is once.
      REQUIRE(durable(leader) == durable(follower));
    }
    REQUIRE(leader.in_flight() <= 6);
  }
}

TEST_CASE("A queue that starts from its cursor and the entries behind it is the same", "[queue]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    INFO("seed " << seed);
    Rng rng{seed};
    SessionQueue leader = queue_of(30, 2);
    for (int step = 0; step < 200; ++step) random_step(leader, rng);
    const storage::CursorRow cursor = leader.take_cursor();
    SessionQueue fresh;
    fresh.apply(cursor);
    for (std::uint64_t number = cursor.acked_through + 1; number <= 30; ++number) {
      CHECK(fresh.skip_to(number) == 0);
      fresh.enqueue(number, entry(2), {});
    }
    fresh.apply(cursor);
    REQUIRE(durable(leader) == durable(fresh));
    for (std::uint64_t number = cursor.acked_through + 1; number <= 30; ++number) {
      REQUIRE(fresh.sent_before(number) == leader.sent_before(number));
    }
  }
}

}  // namespace naru::broker

// test/support/story.hpp
//
// Story tells a history by hand, and accept() and refuse() ask all checkers about it.
//
// Sans-IO. Lives for one test, on its thread.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "test/support/checkers.hpp"

namespace naru::test {

inline constexpr std::uint32_t alice = 1;  // Publishes.
inline constexpr std::uint32_t bob = 2;    // Subscribes with a persistent session.

// Tells a run line by line; times ascend by themselves.
class Story {
 public:
  Story& say(Record record) {
    record.at = Instant{Duration{++time_}};
    if (record.connection == 0) record.connection = connections_[record.client];
    history_.add(record);
    return *this;
  }
  Story& event(std::uint32_t client, Event event) {
    Record record;
    record.client = client;
    record.event = event;
    return say(record);
  }
  Story& connect(std::uint32_t client, unsigned flags, bool present, std::uint64_t window = 100) {
    ++connections_[client];
    Record record;
    record.client = client;
    record.event = Event::connect_sent;
    record.flags = static_cast<std::uint16_t>(flags);
    record.number = window;
    say(record);
    record.event = Event::connack;
    record.flags = present ? flag::present : 0;
    return say(record);
  }
  Story& lose(std::uint32_t client) { return event(client, Event::connection_lost); }
  Story& with_filter(std::uint32_t client, Event event, std::string_view filter, unsigned qos) {
    Record record;
    record.client = client;
    record.event = event;
    record.text = history_.intern(filter);
    record.qos = record.reason = static_cast<std::uint8_t>(qos);
    return say(record);
  }
  Story& subscribe(std::uint32_t client, std::string_view filter, unsigned qos) {
    with_filter(client, Event::subscribe_sent, filter, qos);
    return with_filter(client, Event::suback, filter, qos);
  }
  Record message(std::uint64_t counter, unsigned qos, unsigned flags) {
    Record record;
    record.client = alice;
    record.message = {alice, counter};
    record.text = history_.intern("t");
    record.qos = static_cast<std::uint8_t>(qos);
    record.flags = static_cast<std::uint16_t>(flags);
    return record;
  }
  Story& send(std::uint64_t counter, unsigned qos = 1, unsigned flags = 0) {
    Record record = message(counter, qos, flags);
    record.event = Event::publish_sent;
    return say(record);
  }
  Story& ack(std::uint64_t counter, Event event = Event::puback) {
    Record record = message(counter, 1, 0);
    record.event = event;
    return say(record);
  }
  Story& receive(std::uint64_t counter, std::uint16_t packet_id, unsigned qos = 1,
                 unsigned flags = 0, std::uint32_t client = bob) {
    Record record = message(counter, qos, flags);
    record.client = client;
    record.event = Event::received;
    record.packet_id = packet_id;
    return say(record);
  }
  Story& acknowledge(std::uint16_t packet_id, std::uint32_t client = bob) {
    Record record;
    record.client = client;
    record.event = Event::ack_sent;
    record.packet_id = packet_id;
    return say(record);
  }
  Story& will(Event event, std::uint32_t client) {
    Record record;
    record.client = event == Event::received ? bob : client;
    record.event = event;
    record.message = MessageId::will_of(client, 1);
    record.text = history_.intern("t");
    record.qos = 1;
    record.packet_id = event == Event::received ? ++will_packet_id_ : std::uint16_t{0};
    return say(record);
  }
  const History& history() const { return history_; }

 private:
  History history_;
  std::map<std::uint32_t, std::uint32_t> connections_;
  std::uint16_t will_packet_id_ = 1000;
  int time_ = 0;
};

// Alice and Bob are connected, both with persistent sessions, and Bob listens.
inline Story beginning(unsigned qos = 1) {
  Story story;
  story.connect(alice, flag::persistent, false).connect(bob, flag::persistent, false);
  story.subscribe(bob, "t", qos);
  return story;
}

inline void end(Story& story) { story.event(alice, Event::drained).event(bob, Event::drained); }

inline std::string all_texts(const Violations& violations) {
  std::string text;
  for (const Violation& each : violations) text += each.checker + ": " + each.text + '\n';
  return text;
}

inline void accept(const Story& story) {
  const Violations found = check_all(story.history());
  CHECK(all_texts(found).empty());
}

// The named checker speaks, nobody else does, and what it says contains the words.
inline void refuse(const Story& story, const std::string& checker, const std::string& words) {
  const Violations found = check_all(story.history());
  REQUIRE_FALSE(found.empty());
  for (const Violation& each : found) CHECK(each.checker == checker);
  CHECK_THAT(found.front().text, Catch::Contains(words));
  CHECK_THAT(found.front().text, Catch::Contains("#"));  // It shows lines.
}

}  // namespace naru::test

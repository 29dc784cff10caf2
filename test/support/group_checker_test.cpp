// test/support/group_checker_test.cpp
//
// Goal: the checker of groups accepts what a group may do and catches what it may not. Method: a
// publisher and two members, told by hand, once as it should be and once with a planted fault.

#include <catch2/catch.hpp>

#include "test/support/checkers.hpp"

namespace naru::test {
namespace {

constexpr std::uint32_t publisher = 1, kept = 2, clean = 3;
constexpr std::string_view group = "$share/g/t";

class Story {
 public:
  Story() {
    connect(publisher, flag::persistent);
    connect(kept, flag::persistent);
    connect(clean, flag::clean_start);
    for (const std::uint32_t member : {kept, clean}) {
      Record record = of(member, Event::subscribe_sent);
      record.text = history_.intern(group);
      record.qos = record.reason = 2;
      add(record);
      record.event = Event::suback;
      add(record);
    }
  }
  Story& publish(std::uint64_t counter) {
    Record record = message(publisher, Event::publish_sent, counter);
    add(record);
    record.event = Event::pubcomp;
    return add(record);
  }
  Story& receive(std::uint32_t member, std::uint64_t counter, std::uint16_t packet_id) {
    Record record = message(member, Event::received, counter);
    record.packet_id = packet_id;
    return add(record);
  }
  Story& complete(std::uint32_t member, std::uint16_t packet_id) {
    Record record = of(member, Event::ack_sent);
    record.packet_id = packet_id;
    return add(record);
  }
  Story& say(std::uint32_t client, Event event) { return add(of(client, event)); }
  std::size_t faults() {
    say(kept, Event::drained);
    return check_groups(Timeline{history_}).size();
  }

 private:
  void connect(std::uint32_t client, unsigned flags) {
    Record record = of(client, Event::connect_sent);
    record.flags = static_cast<std::uint16_t>(flags);
    add(record);
    add(of(client, Event::connack));
  }
  static Record of(std::uint32_t client, Event event) {
    Record record;
    record.client = client;
    record.connection = 1;
    record.event = event;
    return record;
  }
  Record message(std::uint32_t client, Event event, std::uint64_t counter) {
    Record record = of(client, event);
    record.message = {publisher, counter};
    record.text = history_.intern("t");
    record.qos = 2;
    return record;
  }
  Story& add(Record record) {
    record.at = Instant{Duration{++time_}};
    history_.add(record);
    return *this;
  }

  History history_;
  int time_ = 0;
};

}  // namespace

TEST_CASE("A group's message may reach either member", "[checkers]") {
  CHECK(Story{}.publish(1).receive(kept, 1, 1).complete(kept, 1).faults() == 0);
  CHECK(Story{}.publish(1).receive(clean, 1, 1).complete(clean, 1).faults() == 0);
}

TEST_CASE("A group's message that reaches nobody is lost", "[checkers]") {
  CHECK(Story{}.publish(1).faults() == 1);
}

TEST_CASE("A QoS 2 message may come to a second member until the first has it for good",
          "[checkers]") {
  Story moved;
  moved.publish(1).receive(clean, 1, 1).say(clean, Event::connection_lost);
  CHECK(moved.receive(kept, 1, 7).complete(kept, 7).faults() == 0);
  Story twice;
  twice.publish(1).receive(clean, 1, 1).complete(clean, 1);
  CHECK(twice.receive(kept, 1, 7).faults() == 1);
}

}  // namespace naru::test

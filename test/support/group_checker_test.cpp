// test/support/group_checker_test.cpp
//
// Goal: the checker of groups accepts what a group may do and catches what it may not. Method: a
// publisher and its members, told by hand, once as it should be and once with a planted fault.

#include <map>

#include <catch2/catch.hpp>

#include "test/support/checkers.hpp"

namespace naru::test {
namespace {

constexpr std::uint32_t publisher = 1, kept = 2, clean = 3, other = 4;
constexpr std::string_view group = "$share/g/t";

class Story {
 public:
  Story() {
    connect(publisher, flag::persistent);
    connect(kept, flag::persistent);
    connect(clean, flag::clean_start);
    for (const std::uint32_t member : {kept, clean}) subscribe(member);
  }
  // What somebody says or is told.
  Story& connect(std::uint32_t client, unsigned flags, unsigned answer = 0,
                 std::uint8_t reason = 0) {
    ++connections_[client];
    Record record = of(client, Event::connect_sent);
    record.flags = static_cast<std::uint16_t>(flags);
    record.number = 2;  // Its Receive Maximum.
    add(record);
    record = of(client, Event::connack);
    record.flags = static_cast<std::uint16_t>(answer);
    record.reason = reason;
    return add(record);
  }
  Story& subscribe(std::uint32_t member, std::uint8_t qos = 2, std::string_view filter = group) {
    Record record = of(member, Event::subscribe_sent);
    record.text = history_.intern(filter);
    record.qos = record.reason = qos;
    add(record);
    record.event = Event::suback;
    return add(record);
  }
  Story& unsubscribe(std::uint32_t member) {
    Record record = of(member, Event::unsubscribe_sent);
    record.text = history_.intern(group);
    add(record);
    record.event = Event::unsuback;
    return add(record);
  }
  Story& publish(std::uint64_t counter, std::uint8_t qos = 2) {
    Record record = message(publisher, Event::publish_sent, counter, qos);
    add(record);
    record.event = qos == 2 ? Event::pubcomp : Event::puback;
    return qos == 0 ? *this : add(record);
  }
  Story& receive(std::uint32_t member, std::uint64_t counter, std::uint16_t packet_id,
                 std::uint8_t qos = 2, unsigned flags = 0) {
    Record record = message(member, Event::received, counter, qos);
    record.packet_id = packet_id;
    record.flags = static_cast<std::uint16_t>(flags);
    return add(record);
  }
  Story& complete(std::uint32_t member, std::uint16_t packet_id) {
    Record record = of(member, Event::ack_sent);
    record.packet_id = packet_id;
    return add(record);
  }
  Story& say(std::uint32_t client, Event event) { return add(of(client, event)); }
  Story& pass(Seconds time) {
    now_ = now_ + time;
    return *this;
  }
  std::size_t faults() {
    say(kept, Event::drained);
    return check_groups(Timeline{history_}).size();
  }
  Violations all_found() {
    say(kept, Event::drained);
    return check_all(history_);
  }

 private:
  Record of(std::uint32_t client, Event event) {
    Record record;
    record.client = client;
    record.connection = connections_[client];
    record.event = event;
    return record;
  }
  Record message(std::uint32_t client, Event event, std::uint64_t counter, std::uint8_t qos) {
    Record record = of(client, event);
    record.message = {publisher, counter};
    record.text = history_.intern("t");
    record.qos = qos;
    return record;
  }
  Story& add(Record record) {
    now_ = now_ + Duration{1};
    record.at = now_;
    history_.add(record);
    return *this;
  }

  History history_;
  std::map<std::uint32_t, std::uint32_t> connections_;
  Instant now_{};
};

}  // namespace

TEST_CASE("A group's message may reach either member", "[checkers]") {
  CHECK(Story{}.publish(1).receive(kept, 1, 1).complete(kept, 1).all_found().empty());
  CHECK(Story{}.publish(1).receive(clean, 1, 1).complete(clean, 1).all_found().empty());
}

TEST_CASE("A group's message that reaches nobody is lost", "[checkers]") {
  CHECK(Story{}.publish(1).faults() == 1);
  CHECK(Story{}.publish(1, 1).faults() == 1);
}

TEST_CASE("A group's message is lost too where members with sessions took turns", "[checkers]") {
  Story story;
  story.connect(other, flag::persistent).publish(1, 1);
  story.subscribe(other).unsubscribe(kept).subscribe(kept).unsubscribe(other);
  CHECK(story.faults() == 1);
}

TEST_CASE("A message nobody waited for without a break is not lost", "[checkers]") {
  CHECK(Story{}.publish(1, 1).unsubscribe(kept).subscribe(kept).faults() == 0);
  Story none;
  none.unsubscribe(kept).publish(1, 1);
  CHECK(none.faults() == 0);
}

TEST_CASE("A member with a clean session that stays to the end keeps its group", "[checkers]") {
  Story story;
  story.unsubscribe(kept).publish(1, 1).say(clean, Event::drained);
  CHECK(story.faults() == 1);
}

TEST_CASE("A member may take QoS 2 messages with it, and no more than it may hold", "[checkers]") {
  Story story;
  story.publish(1).publish(2).say(clean, Event::connection_lost);
  CHECK(story.faults() == 0);
  Story more;
  more.publish(1).publish(2).publish(3).say(clean, Event::connection_lost);
  CHECK(more.faults() == 1);
  Story later;
  later.say(clean, Event::connection_lost).publish(1);
  CHECK(later.faults() == 0);  // The broker may not have noticed.
  Story known;
  known.say(clean, Event::connection_lost).pass(Seconds{30}).publish(1);
  CHECK(known.faults() == 1);
  Story once;
  once.publish(1, 1).say(clean, Event::connection_lost);
  CHECK(once.faults() == 1);
}

TEST_CASE("What a member took with QoS 0 may be lost", "[checkers]") {
  Story story;
  story.connect(other, flag::clean_start).subscribe(other, 0).publish(1);
  CHECK(story.faults() == 0);
}

TEST_CASE("A QoS 2 message reaches one member of a group", "[checkers]") {
  Story twice;
  twice.publish(1).receive(clean, 1, 1).complete(clean, 1);
  CHECK(twice.receive(kept, 1, 7).faults() == 1);
  // It may have been handed on before PUBREL (MQTT-4.8.2-5).
  Story moved;
  moved.publish(1).receive(clean, 1, 1).say(clean, Event::connection_lost);
  CHECK(moved.receive(kept, 1, 7).complete(kept, 7).faults() == 1);
  Story waited;
  waited.publish(1).receive(kept, 1, 1).say(kept, Event::connection_lost);
  waited.connect(kept, flag::persistent, flag::present);
  waited.receive(kept, 1, 1, 2, flag::again | flag::dup).complete(kept, 1);
  CHECK(waited.faults() == 0);
}

TEST_CASE("A clean start that was refused has not ended a member's session", "[checkers]") {
  Story story;
  story.publish(1).receive(kept, 1, 1).say(kept, Event::connection_lost);
  story.connect(kept, flag::persistent | flag::clean_start, 0, 0x97);
  story.connect(kept, flag::persistent, flag::present);
  SECTION("and the message comes again") {
    story.receive(kept, 1, 1, 2, flag::dup).complete(kept, 1);
    CHECK(story.faults() == 0);
  }
  SECTION("but to nobody else") {
    story.complete(kept, 1).receive(clean, 1, 7).complete(clean, 7);
    CHECK(story.faults() == 1);
  }
}

TEST_CASE("After a crash a QoS 2 message may come to a second member until the first has it",
          "[checkers]") {
  Story forgotten;
  forgotten.publish(1).receive(clean, 1, 1).say(0, Event::broker_crash);
  forgotten.say(clean, Event::connection_lost);
  CHECK(forgotten.receive(kept, 1, 7).complete(kept, 7).faults() == 0);
  Story completed;
  completed.publish(1).receive(clean, 1, 1).complete(clean, 1).say(0, Event::broker_crash);
  completed.say(clean, Event::connection_lost);
  CHECK(completed.receive(kept, 1, 7).complete(kept, 7).faults() == 1);
  // A session that lasts is not forgotten.
  Story lasting;
  lasting.publish(1).receive(kept, 1, 1).say(0, Event::broker_crash);
  CHECK(lasting.receive(clean, 1, 7).complete(clean, 7).faults() == 1);
}

TEST_CASE("A QoS 1 message comes to another member only if the first has gone", "[checkers]") {
  Story twice;
  twice.publish(1, 1).receive(kept, 1, 1, 1).receive(clean, 1, 1, 1);
  CHECK(twice.faults() == 1);
  Story gone;
  gone.publish(1, 1).receive(clean, 1, 1, 1).say(clean, Event::connection_lost);
  CHECK(gone.receive(kept, 1, 1, 1).faults() == 0);
  Story long_ago;
  long_ago.publish(1, 1).receive(clean, 1, 1, 1).complete(clean, 1).pass(Seconds{30});
  long_ago.say(clean, Event::connection_lost);
  CHECK(long_ago.receive(kept, 1, 1, 1).faults() == 1);
  Story crashed;
  crashed.publish(1, 1).receive(kept, 1, 1, 1).complete(kept, 1).say(0, Event::broker_crash);
  CHECK(crashed.receive(clean, 1, 1, 1).faults() == 0);
  Story sent_again;
  sent_again.publish(1, 1).publish(1, 1).receive(kept, 1, 1, 1).receive(clean, 1, 1, 1);
  CHECK(sent_again.faults() == 0);
}

TEST_CASE("A QoS 0 message reaches one member at most", "[checkers]") {
  CHECK(Story{}.publish(1, 0).faults() == 0);
  CHECK(Story{}.publish(1, 0).receive(kept, 1, 0, 0).faults() == 0);
  CHECK(Story{}.publish(1, 0).receive(kept, 1, 0, 0).receive(clean, 1, 0, 0).faults() == 1);
}

TEST_CASE("A member gets messages in order until somebody gives one back", "[checkers]") {
  Story turned;
  turned.pass(Seconds{60})
      .publish(1, 1)
      .publish(2, 1)
      .receive(kept, 2, 1, 1)
      .receive(kept, 1, 2, 1);
  CHECK(turned.faults() == 1);
  Story given_back;
  given_back.pass(Seconds{60}).publish(1, 1).publish(2, 1).receive(kept, 2, 1, 1);
  given_back.say(clean, Event::connection_lost);
  CHECK(given_back.receive(kept, 1, 2, 1).faults() == 0);
  Story not_written;
  not_written.pass(Seconds{60}).publish(1, 1).publish(2, 1).receive(kept, 2, 1, 1);
  not_written.say(0, Event::disk_full).say(0, Event::disk_has_room);
  CHECK(not_written.receive(kept, 1, 2, 1).faults() == 0);
  Story between_members;
  between_members.publish(1, 1).publish(2, 1).receive(kept, 2, 1, 1).receive(clean, 1, 2, 1);
  CHECK(between_members.faults() == 0);
}

TEST_CASE("A member gets no retained messages", "[checkers]") {
  Story story;
  story.publish(1).receive(kept, 1, 1).receive(clean, 1, 1, 2, flag::retain);
  CHECK(story.faults() == 1);
}

TEST_CASE("A copy that its member asked for in two ways accuses nobody", "[checkers]") {
  Story story;
  story.subscribe(kept, 2, "#").publish(1).receive(kept, 1, 1).receive(clean, 1, 1);
  CHECK(story.faults() == 0);
}

TEST_CASE("What a group gives to one member is no loss and no stray for others", "[checkers]") {
  Story story;
  story.connect(other, flag::persistent).subscribe(other, 1, "u").publish(1);
  story.receive(clean, 1, 1).complete(clean, 1).say(other, Event::drained);
  CHECK(story.all_found().empty());
  Story stray;
  stray.connect(other, flag::persistent).subscribe(other, 1, "u").publish(1);
  stray.receive(other, 1, 1, 1);
  CHECK(stray.all_found().size() == 2);  // And nobody who should have it got it.
  Story left;
  left.subscribe(kept).unsubscribe(clean).publish(1).receive(clean, 1, 1);
  CHECK(left.all_found().size() == 1);
}

}  // namespace naru::test

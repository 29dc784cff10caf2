// test/support/checkers_test.cpp
//
// Goal: every checker accepts an honest history and catches the fault it is there for.
// Method: tell one short run by hand, once as it should be and once with one planted fault, and
// demand that exactly the named checker speaks, with a text that names the lines.

#include "test/support/story.hpp"

namespace naru::test {

TEST_CASE("An honest run with reconnects, redelivery and unknown outcomes passes", "[checkers]") {
  Story story = beginning(2);
  story.send(1).ack(1).receive(1, 1).acknowledge(1);
  story.send(2, 2).ack(2, Event::pubrec).ack(2, Event::pubcomp).receive(2, 2, 2);
  story.event(0, Event::broker_crash).lose(alice).lose(bob);
  story.connect(bob, flag::persistent, true).receive(2, 2, 2, flag::dup | flag::again);
  story.acknowledge(2);
  story.connect(alice, flag::persistent, true).send(3).lose(alice);  // Never acknowledged.
  end(story);
  accept(story);
  CHECK(summarize(Timeline{story.history()}).unknown == 1);
}

TEST_CASE("acked delivery catches a message lost after its acknowledgement", "[checkers]") {
  const auto event = GENERATE(Event::puback, Event::pubcomp, Event::pubrec);
  const unsigned qos = event == Event::puback ? 1 : 2;
  Story story = beginning(2);
  story.send(1, qos).ack(1, event);
  end(story);
  refuse(story, "acked delivery", "lost");
}

TEST_CASE("acked delivery catches a message hidden behind a packet id still held", "[checkers]") {
  Story story = beginning(2);
  story.send(1, 2).ack(1, Event::pubrec).ack(1, Event::pubcomp);
  story.receive(1, 1, 2, flag::again);
  end(story);
  refuse(story, "acked delivery", "lost");
}

TEST_CASE("acked delivery excuses who has no claim", "[checkers]") {
  Story story;
  story.connect(alice, flag::persistent, false);
  SECTION("subscribed after the publish") {
    story.connect(bob, flag::persistent, false).send(1).subscribe(bob, "t", 1).ack(1);
  }
  SECTION("another topic") {
    story.connect(bob, flag::persistent, false).subscribe(bob, "u/#", 1).send(1).ack(1);
  }
  SECTION("QoS 0 granted") {
    story.connect(bob, flag::persistent, false).subscribe(bob, "t", 0).send(1).ack(1);
  }
  SECTION("unsubscribed") {
    story.connect(bob, flag::persistent, false).subscribe(bob, "t", 1).send(1).ack(1);
    story.with_filter(bob, Event::unsubscribe_sent, "t", 0);
  }
  SECTION("limited") {
    story.connect(bob, flag::persistent, false).subscribe(bob, "t", 1).send(1).ack(1);
    story.event(bob, Event::session_limited);
  }
  SECTION("session ended with its connection") {
    story.connect(bob, flag::clean_start, false).subscribe(bob, "t", 1).send(1).ack(1).lose(bob);
    story.connect(bob, flag::clean_start, false);
  }
  SECTION("may have expired") {
    story.connect(bob, flag::persistent, false).subscribe(bob, "t", 1);
    story.send(1, 1, flag::may_expire).ack(1);
  }
  SECTION("the acknowledgement was a refusal") {
    story.connect(bob, flag::persistent, false).subscribe(bob, "t", 1).send(1);
    Record refused = story.message(1, 1, 0);
    refused.event = Event::puback;
    refused.reason = 0x97;
    story.say(refused);
  }
  end(story);
  accept(story);
}

TEST_CASE("PUBREC binds nobody when the publisher's session ends before PUBREL", "[checkers]") {
  Story story = beginning(2);
  story.send(1, 2).ack(1, Event::pubrec).lose(alice).event(alice, Event::session_ended);
  story.event(bob, Event::drained);
  accept(story);
}

TEST_CASE("exactly once catches a QoS 2 message delivered twice", "[checkers]") {
  Story story = beginning(2);
  story.send(1, 2).ack(1, Event::pubrec).ack(1, Event::pubcomp);
  story.receive(1, 1, 2).acknowledge(1);
  SECTION("under a new packet id: forgotten deduplication") { story.receive(1, 2, 2); }
  SECTION("under its own packet id, after PUBCOMP") {
    story.lose(bob).connect(bob, flag::persistent, true).receive(1, 1, 2, flag::dup);
  }
  end(story);
  refuse(story, "exactly once", "delivered 2 times");
}

TEST_CASE("no invention catches what nobody published", "[checkers]") {
  Story story = beginning();
  SECTION("altered bytes") {
    story.send(1).ack(1).receive(1, 1).acknowledge(1);
    story.receive(1, 2, 1, flag::broken);
    end(story);
    refuse(story, "no invention", "a payload that nobody published");
  }
  SECTION("unknown message") {
    story.receive(7, 1);
    refuse(story, "no invention", "before it was published");
  }
  SECTION("a wish not expressed") {
    story.connect(3, flag::clean_start, false).subscribe(3, "other", 1);
    story.send(1).receive(1, 1, 1, 0, 3);
    refuse(story, "no invention", "not subscribed to");
  }
  SECTION("raised QoS") {
    story.send(1, 0).receive(1, 1, 1);
    refuse(story, "no invention", "higher QoS");
  }
  SECTION("a message sent after UNSUBACK") {
    story.with_filter(bob, Event::unsubscribe_sent, "t", 0);
    story.with_filter(bob, Event::unsuback, "t", 0).send(1).receive(1, 1);
    refuse(story, "no invention", "not subscribed to");
  }
  SECTION("a clearing that nobody asked for") {
    Record record = story.message(0, 1, flag::cleared);
    record.client = bob;
    record.message = {};
    record.event = Event::received;
    story.say(record);
    refuse(story, "no invention", "nobody cleared");
  }
}

TEST_CASE("order catches a first delivery behind a later one", "[checkers]") {
  Story story = beginning();
  story.send(1).send(2).ack(1).ack(2);
  story.receive(2, 1).acknowledge(1).receive(1, 2).acknowledge(2);
  end(story);
  refuse(story, "order", "after a later one");
}

TEST_CASE("order accepts a redelivery in sequence and another QoS beside it", "[checkers]") {
  Story story = beginning(2);
  story.send(1, 2).send(2).ack(2).send(3).ack(3).ack(1, Event::pubrec).ack(1, Event::pubcomp);
  story.receive(2, 1).receive(3, 2).receive(1, 3, 2).lose(bob);
  story.connect(bob, flag::persistent, true);
  story.receive(2, 1, 1, flag::dup).receive(3, 2).receive(1, 3, 2, flag::dup | flag::again);
  end(story);
  accept(story);
}

TEST_CASE("order excuses what a full disk refused and its publisher sent again", "[checkers]") {
  Story story = beginning();
  const bool full = GENERATE(false, true);
  if (full) story.event(0, Event::disk_full);
  story.send(1);
  if (full) story.event(0, Event::disk_has_room);
  story.send(2).ack(2).receive(2, 1).acknowledge(1);
  story.lose(alice).connect(alice, flag::persistent, true).send(1, 1, flag::dup).ack(1);
  story.receive(1, 2).acknowledge(2);
  end(story);
  if (full) accept(story);
  if (!full) refuse(story, "order", "after a later one");
}

TEST_CASE("order catches redeliveries that come in the wrong order", "[checkers]") {
  Story story = beginning();
  story.send(1).send(2).ack(1).ack(2).receive(1, 1).receive(2, 2).lose(bob);
  story.connect(bob, flag::persistent, true).receive(2, 2).receive(1, 1);
  end(story);
  refuse(story, "order", "out of order");
}

TEST_CASE("duplicates catches a second copy that nothing explains", "[checkers]") {
  Story story = beginning();
  story.send(1).ack(1).receive(1, 1).acknowledge(1);
  SECTION("on the same connection") { story.receive(1, 2); }
  SECTION("after a reconnect but under another packet id") {
    story.lose(bob).connect(bob, flag::persistent, true).receive(1, 2);
  }
  end(story);
  refuse(story, "duplicates", "sent 1 times and delivered 2 times");
}

TEST_CASE("duplicates accepts as many copies as the publisher sent", "[checkers]") {
  Story story = beginning();
  story.send(1).receive(1, 1).acknowledge(1).lose(alice);
  story.connect(alice, flag::persistent, true).send(1, 1, flag::dup).ack(1);
  story.receive(1, 2).acknowledge(2);
  end(story);
  accept(story);
}

TEST_CASE("session state catches a wrong session_present", "[checkers]") {
  Story story;
  SECTION("forgotten") {
    story.connect(bob, flag::persistent, false).lose(bob).connect(bob, flag::persistent, false);
    refuse(story, "session state", "the session is lost");
  }
  SECTION("risen from a clean start") {
    story.connect(bob, flag::persistent, false).lose(bob);
    story.connect(bob, flag::persistent | flag::clean_start, true);
    refuse(story, "session state", "there is no session");
  }
  SECTION("outlived a connection it was bound to") {
    story.connect(bob, flag::clean_start, false).lose(bob).connect(bob, flag::persistent, true);
    refuse(story, "session state", "there is no session");
  }
}

TEST_CASE("session state accepts both answers where the outcome is unknown", "[checkers]") {
  const bool present = GENERATE(false, true);
  Story story;
  Record lost_connect;
  lost_connect.client = bob;
  lost_connect.connection = 1;
  lost_connect.event = Event::connect_sent;
  lost_connect.flags = flag::persistent;
  SECTION("CONNECT without CONNACK") { story.say(lost_connect).lose(bob); }
  SECTION("near its expiry") {
    story.connect(bob, flag::persistent, false).lose(bob).event(bob, Event::session_unsure);
  }
  story.connect(bob, flag::persistent, present);
  accept(story);
}

TEST_CASE("session state catches a retained replay at resume", "[checkers]") {
  Story story = beginning();
  story.send(1, 1, flag::retain).ack(1).receive(1, 1).acknowledge(1).lose(bob);
  story.connect(bob, flag::persistent, true);
  SECTION("of a message younger than the subscription") { story.receive(1, 2, 1, flag::retain); }
  SECTION("with QoS 0") { story.receive(1, 0, 0, flag::retain); }
  end(story);
  refuse(story, "session state", "retained replay at resume");
}

namespace {

// Two retained publishes, then a fresh reader who finds what the last argument says (0: nothing).
Story retained_story(bool second_acked, unsigned second_flags, std::uint64_t found) {
  Story story;
  story.connect(alice, flag::persistent, false);
  story.send(1, 1, flag::retain).ack(1).send(2, 1, flag::retain | second_flags);
  if (second_acked) story.ack(2);
  story.connect(bob, flag::clean_start, false).subscribe(bob, "#", 1);
  if (found != 0) story.receive(found, 1, 1, flag::retain);
  story.event(bob, Event::retained_read);
  return story;
}

}  // namespace

TEST_CASE("retained accepts the last acknowledged value or an unknown later one", "[checkers]") {
  accept(retained_story(true, 0, 2));
  accept(retained_story(false, 0, 1));
  accept(retained_story(false, 0, 2));
  accept(retained_story(true, flag::cleared, 0));
  accept(retained_story(false, flag::cleared, 0));
}

TEST_CASE("retained catches a stale, a missing and a risen value", "[checkers]") {
  refuse(retained_story(true, 0, 1), "retained", "stale");
  refuse(retained_story(true, 0, 0), "retained", "no retained message");
  refuse(retained_story(true, flag::cleared, 1), "retained", "stale");
}

TEST_CASE("retained: an unknown outcome cannot take effect after the crash", "[checkers]") {
  constexpr std::uint32_t carol = 3;
  Story story;
  story.connect(alice, flag::persistent, false).connect(carol, flag::persistent, false);
  story.send(1, 1, flag::retain).event(0, Event::broker_crash).lose(alice).lose(carol);
  story.connect(carol, flag::persistent, true);
  Record other = story.message(1, 1, flag::retain);
  other.client = carol;
  other.message.publisher = carol;
  other.event = Event::publish_sent;
  story.say(other);
  other.event = Event::puback;
  story.say(other);
  story.connect(bob, flag::clean_start, false).subscribe(bob, "t", 1);
  story.receive(1, 1, 1, flag::retain).event(bob, Event::retained_read);
  refuse(story, "retained", "stale");
}

TEST_CASE("bounds catches a packet id in use and a window overrun", "[checkers]") {
  Story story;
  story.connect(alice, flag::persistent, false).connect(bob, flag::persistent, false, 2);
  story.subscribe(bob, "t", 1).send(1).ack(1).send(2).ack(2).send(3).ack(3);
  SECTION("id reuse") {
    story.receive(1, 1).receive(2, 1).acknowledge(1).receive(3, 2);
    end(story);
    refuse(story, "bounds", "packet id still in use");
  }
  SECTION("id reuse after a reconnect") {
    story.receive(1, 1).lose(bob).connect(bob, flag::persistent, true, 2);
    story.receive(2, 1).acknowledge(1).receive(3, 2);
    end(story);
    refuse(story, "bounds", "packet id still in use");
  }
  SECTION("the id of a session that may have expired") {
    story.receive(1, 1).lose(bob).event(bob, Event::session_unsure);
    story.connect(bob, flag::persistent, true, 2).subscribe(bob, "t", 1);
    story.send(4).ack(4).receive(4, 1);
    end(story);
    accept(story);
  }
  SECTION("window") {
    story.receive(1, 1).receive(2, 2).receive(3, 3);
    end(story);
    refuse(story, "bounds", "Receive Maximum of 2");
  }
  SECTION("within") {
    story.receive(1, 1).receive(2, 2).acknowledge(1).receive(3, 1);
    end(story);
    accept(story);
  }
}

TEST_CASE("protocol repeats what a client wrote down", "[checkers]") {
  Story story;
  story.with_filter(bob, Event::protocol_error, "a second CONNACK", 0);
  refuse(story, "protocol", "a second CONNACK");
}

TEST_CASE("A fault that hits thousands of messages stays readable", "[checkers]") {
  Story story = beginning();
  for (std::uint64_t i = 1; i <= 3000; ++i) story.send(i).ack(i);
  end(story);
  const Violations found = check_all(story.history());
  REQUIRE(found.size() == 6);
  CHECK(found.back().text == "and 2995 more like these");
}

}  // namespace naru::test

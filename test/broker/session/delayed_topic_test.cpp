// test/broker/session/delayed_topic_test.cpp
//
// Goal: $delayed/SECONDS/TOPIC is read as it is meant and nothing else is taken for it. Method: a
// table of topics, each with what becomes of it.

#include <catch2/catch.hpp>

#include "broker/session/delayed_topic.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

TEST_CASE("A delayed topic is a number of seconds and a topic", "[session][delayed]") {
  struct Row {
    BytesView topic;
    std::uint32_t seconds;
    BytesView real;
  };
  const auto row = GENERATE(values<Row>({{"$delayed/0/a", 0, "a"},
                                         {"$delayed/5/a/b", 5, "a/b"},
                                         {"$delayed/007/a", 7, "a"},
                                         {"$delayed/1//a", 1, "/a"},
                                         {"$delayed/1/$other/a", 1, "$other/a"},
                                         {"$delayed/1/$delayedx", 1, "$delayedx"},
                                         {"$delayed/4294967/a", 4'294'967, "a"}}));
  CAPTURE(row.topic);
  BytesView topic = row.topic;
  std::uint32_t seconds = 0;
  REQUIRE(is_delayed(topic));
  REQUIRE(take_delay(topic, seconds));
  CHECK(seconds == row.seconds);
  CHECK(topic == row.real);
  CHECK(seconds <= limits::delay_seconds);
}

TEST_CASE("What is meant as a delayed topic and is none changes nothing", "[session][delayed]") {
  const BytesView topic =
      GENERATE(as<BytesView>{}, "$delayed", "$delayed/", "$delayed/5", "$delayed/5/", "$delayed//a",
               "$delayed/a/5", "$delayed/-1/a", "$delayed/+1/a", "$delayed/ 1/a", "$delayed/1 /a",
               "$delayed/1.5/a", "$delayed/0x1/a", "$delayed/4294968/a", "$delayed/4294967296/a",
               "$delayed/99999999999999999999/a", "$delayed/1/$delayed/1/a", "$delayed/1/$delayed");
  CAPTURE(topic);
  REQUIRE(is_delayed(topic));
  BytesView taken = topic;
  std::uint32_t seconds = 77;
  CHECK_FALSE(take_delay(taken, seconds));
  CHECK(taken == topic);
  CHECK(seconds == 77);
}

TEST_CASE("Other topics are not taken for delayed ones", "[session][delayed]") {
  const BytesView topic = GENERATE(as<BytesView>{}, "a", "delayed/1/a", "$delayedx/1/a", "$delay",
                                   "$SYS/a", "/$delayed/1/a");
  CAPTURE(topic);
  CHECK_FALSE(is_delayed(topic));
}

}  // namespace naru::broker

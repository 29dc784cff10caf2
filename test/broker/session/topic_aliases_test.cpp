// test/broker/session/topic_aliases_test.cpp
//
// Goal: an alias means the topic it was set to, within the maximum and on its own connection.
// Method: dialogues, and a table of what is refused.

#include <catch2/catch.hpp>

#include "broker/session/topic_aliases.hpp"

namespace naru::broker {
namespace {

using mqtt::ReasonCode;

// What an incoming PUBLISH with this topic and alias is about.
Bytes topic_of(TopicAliases& aliases, std::uint16_t alias, BytesView topic) {
  return aliases.resolve(alias, topic) == ReasonCode::success ? Bytes{topic} : Bytes{"refused"};
}

ReasonCode answer(TopicAliases& aliases, std::uint16_t alias, BytesView topic) {
  return aliases.resolve(alias, topic);
}

}  // namespace

TEST_CASE("An alias stands for the topic it was last set to", "[aliases]") {
  TopicAliases aliases{3, 0};
  CHECK(topic_of(aliases, 3, "a") == "a");
  CHECK(topic_of(aliases, 1, "b") == "b");
  CHECK(topic_of(aliases, 3, "") == "a");
  CHECK(topic_of(aliases, 1, "") == "b");
  CHECK(topic_of(aliases, 3, "c") == "c");
  CHECK(topic_of(aliases, 3, "") == "c");
  CHECK(topic_of(aliases, 1, "") == "b");
}

TEST_CASE("An alias that was not granted or never set is refused", "[aliases]") {
  TopicAliases aliases{3, 0};
  CHECK(answer(aliases, 0, "a") == ReasonCode::topic_alias_invalid);
  CHECK(answer(aliases, 4, "a") == ReasonCode::topic_alias_invalid);
  CHECK(answer(aliases, 65'535, "") == ReasonCode::topic_alias_invalid);
  CHECK(answer(aliases, 1, "") == ReasonCode::protocol_error);
  CHECK(topic_of(aliases, 2, "a") == "a");
  CHECK(answer(aliases, 1, "") == ReasonCode::protocol_error);
  CHECK(answer(aliases, 3, "") == ReasonCode::protocol_error);
  TopicAliases none{0, 3};
  CHECK(answer(none, 1, "a") == ReasonCode::topic_alias_invalid);
}

TEST_CASE("The first topics sent get an alias each and keep it", "[aliases]") {
  TopicAliases aliases{0, 2};
  const auto send = [&](BytesView topic) {
    const TopicAliases::Choice choice = aliases.choose(topic);
    aliases.sent(topic, choice);
    return choice;
  };
  const auto first = send("a");
  CHECK((first.alias == 1 && !first.known));
  const auto again = send("a");
  CHECK((again.alias == 1 && again.known));
  const auto second = send("b");
  CHECK((second.alias == 2 && !second.known));
  const auto third = send("c");
  CHECK((third.alias == 0 && !third.known));
  CHECK(send("a").known);
  CHECK(send("b").known);
}

TEST_CASE("A choice that was not sent is not known", "[aliases]") {
  TopicAliases aliases{0, 2};
  CHECK(aliases.choose("a").alias == 1);
  CHECK_FALSE(aliases.choose("a").known);
  CHECK(aliases.choose("b").alias == 1);
}

}  // namespace naru::broker

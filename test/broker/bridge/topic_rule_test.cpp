// test/broker/bridge/topic_rule_test.cpp
//
// Goal: a topic line means what it means to mosquitto, both ways. Method: lines and topics in,
// mapped topics out.

#include "broker/bridge/topic_rule.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

std::vector<TopicRule> rules(std::initializer_list<const char*> lines) {
  std::vector<TopicRule> all;
  for (const char* line : lines) all.push_back(*TopicRule::parse(line));
  return all;
}

std::string mapped(const std::vector<TopicRule>& all, Side from, BytesView topic) {
  return map_topic(all, from, topic).value_or("-");
}

}  // namespace

TEST_CASE("A topic line has defaults from the right", "[bridge]") {
  const TopicRule rule = *TopicRule::parse("a/#");
  CHECK(rule == TopicRule{"a/#", TopicRule::Direction::out, mqtt::Qos::at_most_once, "", ""});
  CHECK(TopicRule::parse("a both")->qos == mqtt::Qos::at_most_once);
  const TopicRule full = *TopicRule::parse("  # in 2 \"\" up/ ");
  CHECK(full == TopicRule{"#", TopicRule::Direction::in, mqtt::Qos::exactly_once, "", "up/"});
  CHECK(full.filter(Side::local) == "#");
  CHECK(full.filter(Side::remote) == "up/#");
}

TEST_CASE("Topics lose one prefix and get the other", "[bridge]") {
  const auto all = rules({"report/+ out 1 here/ there/x/", "# in 0 got/ mine/", "chat both",
                          "\"\" both 1 l/one r/two", "report/# out 1 here/ second/"});
  CHECK(mapped(all, Side::local, "here/report/1") == "there/x/report/1");
  CHECK(mapped(all, Side::local, "here/report/1/2") == "second/report/1/2");  // The first counts.
  CHECK(mapped(all, Side::local, "report/1") == "-");
  CHECK(mapped(all, Side::remote, "there/x/report/1") == "-");
  CHECK(mapped(all, Side::remote, "mine/a/b") == "got/a/b");
  CHECK(mapped(all, Side::local, "got/a/b") == "-");
  CHECK(mapped(all, Side::local, "chat") == "chat");
  CHECK(mapped(all, Side::remote, "chat") == "chat");
  CHECK(mapped(all, Side::local, "l/one") == "r/two");
  CHECK(mapped(all, Side::remote, "r/two") == "l/one");
  CHECK(mapped(all, Side::remote, "$SYS/uptime") == "-");
}

}  // namespace naru::broker

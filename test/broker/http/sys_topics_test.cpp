// test/broker/http/sys_topics_test.cpp
//
// Goal: $SYS tells what the counters say, and rates that follow them. Method: made-up scrapes.

#include <map>

#include <catch2/catch.hpp>

#include "broker/http/sys_topics.hpp"

namespace naru::broker {
namespace {

std::map<Bytes, Bytes> by_topic(const std::vector<BrokerTopic>& topics) {
  std::map<Bytes, Bytes> map;
  for (const BrokerTopic& each : topics) {
    CHECK(map.emplace(each.topic, each.value).second);
    CHECK(each.topic.starts_with("$SYS/broker/"));
  }
  return map;
}

}  // namespace

TEST_CASE("$SYS tells what was counted", "[sys]") {
  Scrape scrape;
  scrape.version = "1.2.3";
  scrape.node.uptime = 77;
  scrape.node.sessions = 5;
  scrape.node.sessions_connected = 2;
  scrape.node.queued = 11;
  scrape.counters.connects = 10;
  scrape.counters.disconnects = 6;
  scrape.counters.publishes_in = 1234;
  scrape.counters.dropped_slow = 3;
  scrape.counters.dropped_expired = 4;
  SysTopics topics;
  auto told = by_topic(topics.update(scrape, Duration{0}));
  CHECK(told["$SYS/broker/version"] == "naru version 1.2.3");
  CHECK(told["$SYS/broker/uptime"] == "77 seconds");
  CHECK(told["$SYS/broker/clients/connected"] == "4");
  CHECK(told["$SYS/broker/clients/disconnected"] == "3");
  CHECK(told["$SYS/broker/clients/total"] == "7");
  CHECK(told["$SYS/broker/store/messages/count"] == "11");
  CHECK(told["$SYS/broker/publish/messages/received"] == "1234");
  CHECK(told["$SYS/broker/publish/messages/dropped"] == "7");
  CHECK(told["$SYS/broker/load/publish/received/1min"] == "0.00");
}

TEST_CASE("The rates of $SYS are per minute and follow within their span", "[sys]") {
  Scrape scrape;
  scrape.counters.publishes_in = 5'000;
  SysTopics topics;
  (void)topics.update(scrape, Duration{0});
  std::map<Bytes, Bytes> told;
  for (int i = 0; i < 360; ++i) {  // An hour of 100 a second.
    scrape.counters.publishes_in += 1'000;
    told = by_topic(topics.update(scrape, Seconds{10}));
    if (i == 5) {  // After a minute an average has come about 63 % of the way.
      CHECK(told["$SYS/broker/load/publish/received/1min"] == "3792.72");
    }
  }
  CHECK(told["$SYS/broker/load/publish/received/1min"] == "6000.00");
  CHECK(std::stod(told["$SYS/broker/load/publish/received/15min"]) == Approx(5890).margin(20));
  for (int i = 0; i < 120; ++i) told = by_topic(topics.update(scrape, Seconds{10}));
  CHECK(told["$SYS/broker/load/publish/received/1min"] == "0.00");
  CHECK(std::stod(told["$SYS/broker/load/publish/received/15min"]) > 1'000);
}

}  // namespace naru::broker

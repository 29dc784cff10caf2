// test/tools/rule_trial_test.cpp
//
// Goal: a trial says of each rule what the broker would do. Method: one configuration, some
// messages.

#include "tools/naru/rule_trial.hpp"

#include <catch2/catch.hpp>

#include "broker/app/config_file.hpp"

namespace naru::tools {
namespace {

constexpr auto rules =
    "stream reports\nstream all\n"
    "rule by-number\nfrom report/+\nfrom old/report/+\nto reports\nkey ${device.no}\n"
    "rule by-level\nfrom #\nto all\nkey ${topic[1]}-${client_id}\n";

std::vector<RuleVerdict> verdicts(BytesView topic, BytesView payload) {
  const auto outcome = broker::parse_config({"test", rules});
  REQUIRE(outcome.ok());
  storage::MessageView message;
  message.sender = "car1";
  message.topic = topic;
  message.payload = payload;
  auto tried = try_rules(outcome.config, message);
  REQUIRE(tried.has_value());
  REQUIRE(tried->size() == 2);
  return std::move(*tried);
}

}  // namespace

TEST_CASE("A trial names filter, stream and key of each rule", "[rule_trial]") {
  const auto both = verdicts("old/report/7", R"({"device":{"no":"A7"}})");
  CHECK(both[0].rule == "by-number");
  CHECK(both[0].filter == "old/report/+");
  CHECK(both[0].stream == "reports");
  CHECK(both[0].key == "A7");
  CHECK(both[1].key == "report-car1");

  const auto one = verdicts("news/today", "");
  CHECK(one[0].filter.empty());
  CHECK(one[0].stream.empty());
  CHECK(one[1].filter == "#");
}

TEST_CASE("A trial says why a message is a dead letter", "[rule_trial]") {
  const auto bad = verdicts("report/7", "not json");
  CHECK(bad[0].stream == "dead-letter");
  CHECK(bad[0].key.empty());
  CHECK(bad[0].note == "not_json");
  CHECK(verdicts("report/7", R"({"device":{}})")[0].note_text == "device.no");
  CHECK(verdicts("top", "{}")[1].note == "key_missing");
}

}  // namespace naru::tools

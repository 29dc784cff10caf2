// test/tools/argument_checks_test.cpp
//
// Goal: who gives a wrong argument hears what is wrong with it, and not the whole of it again.
// Method: tables of texts; what is good gives no text.

#include <catch2/catch.hpp>

#include "tools/naru/argument_checks.hpp"

namespace naru::tools {

using Catch::Matchers::Contains;

TEST_CASE("A topic is refused for the true reason", "[tools]") {
  CHECK(fault_of_topic("a/b").empty());
  CHECK_THAT(fault_of_topic(""), Contains("not empty"));
  CHECK_THAT(fault_of_topic("a/+"), Contains("wildcards"));
  CHECK(fault_of_topic("a\xff") == "'a\\xff' is not valid UTF-8");
  CHECK_THAT(fault_of_topic(std::string(70'000, 'x')), Contains("70000 bytes is too long"));
}

TEST_CASE("A filter is refused for the true reason", "[tools]") {
  CHECK(fault_of_filter("a/+/#").empty());
  CHECK_THAT(fault_of_filter("a/#/b"), Contains("# only at the end"));
  CHECK_THAT(fault_of_filter("a\xff"), Contains("not valid UTF-8"));
}

TEST_CASE("A long text is quoted in part, at the end of a character", "[tools]") {
  CHECK(in_quotes(std::string(80, 'x')) == "'" + std::string(80, 'x') + "'");
  CHECK(in_quotes(std::string(81, 'x')) == "'" + std::string(80, 'x') + "...'");
  CHECK(in_quotes(std::string(79, 'x') + "\u00e4y") == "'" + std::string(79, 'x') + "...'");
}

TEST_CASE("Seconds are a number or a duration within their range", "[tools]") {
  std::string text = "90";
  CHECK(to_seconds(text, 0, 100).empty());
  CHECK(text == "90");
  text = "1m";
  CHECK(to_seconds(text, 0, 100).empty());
  CHECK(text == "60");
  const auto* const wrong = GENERATE("x", "", "101", "0", "1500ms", "-1");
  CAPTURE(wrong);
  text = wrong;
  CHECK_THAT(to_seconds(text, 1, 100), Contains("from 1 to 100"));
}

}  // namespace naru::tools

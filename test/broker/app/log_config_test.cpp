// test/broker/app/log_config_test.cpp
//
// Goal: log_dest and log_type mean what they mean to mosquitto, and what goes elsewhere is said.
// Method: texts in, options of the log and problems out.

#include <catch2/catch.hpp>

#include "broker/app/config_file.hpp"

namespace naru::broker {
namespace {

ConfigOutcome parse(std::string text) { return parse_config({"a.conf", std::move(text)}); }

std::string problems_of(const ConfigOutcome& outcome) {
  std::string text;
  for (const Problem& problem : outcome.problems) text += to_string(problem) + "\n";
  return text;
}

Config good(const std::string& text) {
  const ConfigOutcome outcome = parse(text);
  INFO(problems_of(outcome));
  REQUIRE(outcome.ok());
  return outcome.config;
}

}  // namespace

TEST_CASE("log_type takes the most that any line asks for", "[config]") {
  CHECK(log_options(good("")).level == Severity::info);
  CHECK(log_options(good("log_type error\nlog_type warning\n")).level == Severity::warning);
  CHECK(log_options(good("log_type all\n")).level == Severity::debug);
  CHECK(log_options(good("log_type none\n")).level == Severity::off);
  CHECK_FALSE(log_options(good("log_dest none\n")).to_stderr);
}

TEST_CASE("log_dest ends with its word but for a file, and says where it goes", "[config]") {
  CHECK(problems_of(parse("log_dest syslog # text\nlog_dest stdout foo\nlog_dest topic\n")) ==
        "a.conf:1: notice: log_dest 'syslog # text' is not supported: it goes to stderr\n"
        "a.conf:3: notice: log_dest 'topic' is not supported: it goes to stderr\n");
  CHECK(log_options(good("log_dest syslog # text\n")).to_stderr);
  CHECK_FALSE(log_options(good("log_dest none of them\n")).to_stderr);
}

}  // namespace naru::broker

// test/broker/app/config_notices_test.cpp
//
// Goal: what listeners mean together is noticed where it is so and nowhere else. Method: texts in,
// notices out.

#include "broker/app/config_notices.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

const std::string by_certificate =
    "listener 8883\ncertfile /c\nkeyfile /k\ncafile /a\nrequire_certificate true\n";

std::vector<std::string> notices_of(const std::string& text) {
  const ConfigOutcome outcome = parse_config({"a.conf", text});
  std::vector<std::string> notices;
  for (const Problem& each : outcome.problems) notices.push_back(to_string(each));
  INFO((notices.empty() ? "" : notices.front()));
  REQUIRE(outcome.ok());
  return notices;
}

std::string unproved(const std::string& here, const std::string& there) {
  return here + " takes any user name unproved, and " + there +
         " asks for a proof: a session made there can be taken here by anyone who gives its "
         "user's name; set a password_file here, too, or forbid anonymous clients here";
}

}  // namespace

TEST_CASE("That no client can connect is said where it is so", "[config]") {
  const auto closed = GENERATE(as<std::string>{}, "listener 1883\n", by_certificate,
                               "per_listener_settings true\nlistener 1883\nacl_file /a\n");
  CAPTURE(closed);
  CHECK(notices_of(closed) ==
        std::vector<std::string>{
            "a.conf: notice: no client can connect: set a password_file, or allow_anonymous true"});
}

TEST_CASE("Every way to come in counts", "[config]") {
  const auto open = GENERATE(
      as<std::string>{}, "", "listener 1883\nallow_anonymous true\n",
      "listener 1883\nlistener_allow_anonymous true\n", "listener 1883\npassword_file /p\n",
      "listener 1883\njwt_secret_file /s\n", "listener 1883\njwt_key_file /k\n",
      "listener 1883\nauth_http_url http://a\n", by_certificate + "use_identity_as_username true\n",
      by_certificate + "use_subject_as_username true\n",
      "per_listener_settings true\n" + by_certificate + "use_identity_as_username true\n",
      "per_listener_settings true\nlistener 1883\nlistener 1884\npassword_file /p\n");
  CAPTURE(open);
  CHECK(notices_of(open).empty());
}

TEST_CASE("Names that one listener proves and another takes unproved are noticed", "[config]") {
  const std::string open = "per_listener_settings true\nlistener 1883\nallow_anonymous true\n";
  CHECK(notices_of(open + "listener 1884\npassword_file /p\n") ==
        std::vector<std::string>{"a.conf:2: notice: " +
                                 unproved("listener 1883", "listener 1884 (a.conf:4)")});
  CHECK(
      notices_of(open + "listener 1884\njwt_key_file /k\nlistener 1885\nallow_anonymous true\n") ==
      std::vector<std::string>{
          "a.conf:2: notice: " + unproved("listener 1883", "listener 1884 (a.conf:4)"),
          "a.conf:6: notice: " + unproved("listener 1885", "listener 1884 (a.conf:4)")});
  CHECK(notices_of("listener 1883\nallow_anonymous true\n" + by_certificate +
                   "use_identity_as_username true\n") ==
        std::vector<std::string>{"a.conf:1: notice: " +
                                 unproved("listener 1883", "listener 8883 (a.conf:3)")});
}

TEST_CASE("Names that are proved everywhere, or nowhere, are not noticed", "[config]") {
  const auto text =
      GENERATE(as<std::string>{},
               "per_listener_settings true\nlistener 1883\nallow_anonymous true\nlistener 1884\n"
               "allow_anonymous true\n",
               "per_listener_settings true\nlistener 1883\nlistener 1884\npassword_file /p\n",
               "per_listener_settings true\nlistener 1883\nallow_anonymous true\npassword_file /p\n"
               "listener 1884\npassword_file /p\n",
               "listener 1883\nlistener_allow_anonymous true\nlistener 1884\npassword_file /p\n");
  CAPTURE(text);
  CHECK(notices_of(text).empty());
}

}  // namespace naru::broker

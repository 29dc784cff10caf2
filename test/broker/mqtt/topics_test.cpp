// test/broker/mqtt/topics_test.cpp
//
// Goal: strings, topics and filters are judged as MQTT 5.0 chapters 1.5.4 and 4.7 say. Method:
// tables of the specification's own examples, and each rule again at every offset in strings of
// every small length, because the fast path looks at eight bytes at a time.

#include <catch2/catch.hpp>

#include <string>

#include "broker/mqtt/topics.hpp"
#include "test/support/exact_buffer.hpp"

namespace naru::mqtt {
namespace {

using namespace std::string_view_literals;
using Exact = test::ExactBuffer;

struct Judged {
  BytesView text;
  bool good;
};

struct Match {
  BytesView filter, topic;
  bool matches;
};

}  // namespace

TEST_CASE("valid_utf8 takes well-formed text without U+0000", "[mqtt][MQTT-1.5.4]") {
  const auto row = GENERATE(values<Judged>({
      {"", true},
      {"plain", true},
      {"\x7f", true},
      {"\0"sv, false},
      {"a\0b"sv, false},
      {"\xc2\x80", true},
      {"\xdf\xbf", true},
      {"\xc1\xbf", false},  // Overlong.
      {"\xc0\x80", false},  // Overlong zero.
      {"\xe0\xa0\x80", true},
      {"\xe0\x9f\xbf", false},  // Overlong.
      {"\xed\x9f\xbf", true},
      {"\xed\xa0\x80", false},  // The first surrogate.
      {"\xed\xbf\xbf", false},  // The last surrogate.
      {"\xee\x80\x80", true},
      {"\xef\xbb\xbf", true},  // U+FEFF is a character, never removed.
      {"\xef\xbf\xbf", true},
      {"\xf0\x90\x80\x80", true},
      {"\xf0\x8f\xbf\xbf", false},  // Overlong.
      {"\xf4\x8f\xbf\xbf", true},
      {"\xf4\x90\x80\x80", false},  // Beyond U+10FFFF.
      {"\xf5\x80\x80\x80", false},
      {"\xff", false},
      {"\x80", false},      // Begins in the middle.
      {"\xe2\x82", false},  // Ends in the middle.
      {"\xe2\x82x", false},
      {"\xf0\x9f\x9a", false},
      {"\xf0\x9f\x9a\x97", true},  // A car.
      {"\xf0\x9f\x9ax", false},
      {"\xeb\x82\x98\xeb\xa3\xa8", true},
  }));
  // The same bytes at each place within the eight that are looked at together.
  for (std::size_t before = 0; before < 18; ++before) {
    for (std::size_t after = 0; after < 18; ++after) {
      const Exact text{std::string(before, 'a') + std::string(row.text) + std::string(after, 'z')};
      CAPTURE(text.view(), before, after);
      CHECK(valid_utf8(text.view()) == row.good);
      CHECK(valid_topic(text.view()) == (row.good && !text.view().empty()));
    }
  }
}

TEST_CASE("valid_topic refuses each wildcard at each place", "[mqtt][MQTT-3.3.2-2]") {
  const char wildcard = GENERATE('+', '#', '\0');
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, '/');
      CHECK(valid_topic(Exact{text}.view()));
      text[at] = wildcard;
      CHECK_FALSE(valid_topic(Exact{text}.view()));
      CHECK(valid_utf8(Exact{text}.view()) == (wildcard != '\0'));
      if (size < 4) continue;
      text[at < size / 2 ? size - 2 : 0] = '\xc3';
      text[at < size / 2 ? size - 1 : 1] = '\xa9';
      if (text[at] == wildcard) CHECK_FALSE(valid_topic(Exact{text}.view()));
    }
  }
}

TEST_CASE("No neighbour of a wildcard is taken for one", "[mqtt]") {
  for (int first = 1; first < 0x80; ++first) {
    for (int second = 1; second < 0x80; ++second) {
      std::string text = "abcdefgh";
      text[2] = static_cast<char>(first);
      text[3] = static_cast<char>(second);
      const bool plain = text.find_first_of("+#") == std::string::npos;
      if (valid_topic(text) != plain) FAIL(first << ' ' << second);
    }
  }
}

TEST_CASE("Strings end at 65535 bytes", "[mqtt][MQTT-4.7.3-3]") {
  CHECK(valid_topic(std::string(65'535, 'a')));
  CHECK_FALSE(valid_topic(std::string(65'536, 'a')));
  CHECK(valid_filter(std::string(65'535, 'a')));
  CHECK_FALSE(valid_filter(std::string(65'536, 'a')));
}

TEST_CASE("valid_filter knows where wildcards may stand", "[mqtt][MQTT-4.7.1]") {
  const auto row = GENERATE(values<Judged>({
      {"", false},
      {"/", true},
      {"#", true},
      {"+", true},
      {"sport/tennis/player1/#", true},
      {"sport/#", true},
      {"sport/tennis#", false},
      {"sport/tennis/#/ranking", false},
      {"#/", false},
      {"##", false},
      {"+/tennis/#", true},
      {"sport+", false},
      {"+sport", false},
      {"sport/+/player1", true},
      {"/finance", true},
      {"/+", true},
      {"+/+", true},
      {"++", false},
      {"a/+#", false},
      {"$SYS/#", true},
      {"a//b", true},
      {"a\0b"sv, false},
      {"\xff", false},
      {"$share/g/a", true},
      {"$share/g/#", true},
      {"$share/g//", true},
      {"$share/g/a/+/b", true},
      {"$share/g/a#", false},
      {"$share/g/", false},
      {"$share/g", false},
      {"$share//a", false},
      {"$share/", false},
      {"$share", true},  // An ordinary filter: it is the prefix with its slash that shares.
      {"$share/g+/a", false},
      {"$share/#/a", false},
      {"$share/+", false},
      {"$shared/+", true},
  }));
  CAPTURE(row.text);
  CHECK(valid_filter(Exact{row.text}.view()) == row.good);
}

TEST_CASE("parse_shared takes a shared filter apart", "[mqtt][MQTT-4.8.2]") {
  const auto shared = parse_shared("$share/consumer1/sport/tennis/+");
  REQUIRE(shared);
  CHECK(shared->group == "consumer1");
  CHECK(shared->filter == "sport/tennis/+");
  CHECK(parse_shared("$share/g//finance")->filter == "/finance");
  CHECK_FALSE(parse_shared("sport/tennis/+"));
  CHECK_FALSE(parse_shared("$share/g"));
  CHECK_FALSE(parse_shared("$share/g/"));
  CHECK_FALSE(parse_shared("$share//a"));
}

TEST_CASE("filter_matches agrees with the specification's examples", "[mqtt][MQTT-4.7]") {
  const auto row = GENERATE(values<Match>({
      {"sport/tennis/player1/#", "sport/tennis/player1", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
      {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
      {"sport/tennis/player1/#", "sport/tennis/player10", false},
      {"sport/#", "sport", true},
      {"sport/#", "sports", false},
      {"#", "a", true},
      {"#", "/", true},
      {"sport/tennis/+", "sport/tennis/player1", true},
      {"sport/tennis/+", "sport/tennis/player2", true},
      {"sport/tennis/+", "sport/tennis/player1/ranking", false},
      {"sport/+", "sport", false},
      {"sport/+", "sport/", true},
      {"+/+", "/finance", true},
      {"/+", "/finance", true},
      {"+", "/finance", false},
      {"+", "finance", true},
      {"#", "$SYS/monitor", false},
      {"+/monitor/Clients", "$SYS/monitor/Clients", false},
      {"$SYS/#", "$SYS/monitor/Clients", true},
      {"$SYS/#", "$SYS", true},
      {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
      {"a/+/c", "a/b/c", true},
      {"a/+/c", "a//c", true},
      {"a/+/c", "a/b/d", false},
      {"a/+/#", "a", false},
      {"a/+/#", "a/b", true},
      {"a/b", "a/b/", false},
      {"a/b/", "a/b", false},
      {"a/$b/+", "a/$b/c", true},
      {"+/$b", "a/$b", true},
      {"ACCOUNTS", "Accounts", false},
      {"/", "/", true},
      {"/", "//", false},
      {"$share/g/a/+", "a/b", true},
      {"$share/g/#", "$SYS/x", false},
      {"$share/g/$SYS/#", "$SYS/x", true},
  }));
  CAPTURE(row.filter, row.topic);
  REQUIRE(valid_filter(row.filter));
  REQUIRE(valid_topic(row.topic));
  CHECK(filter_matches(row.filter, row.topic) == row.matches);
}

}  // namespace naru::mqtt

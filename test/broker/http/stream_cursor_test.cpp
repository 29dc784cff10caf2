// test/broker/http/stream_cursor_test.cpp
//
// Goal: a cursor token says exactly where its reader stands, to its own stream alone, and nothing
// else is taken for one. Method: round trips, the frozen bytes, and every way to damage a token.

#include "broker/http/stream_cursor.hpp"

#include <catch2/catch.hpp>

#include "storage/base/base64.hpp"

namespace naru::broker {
namespace {

StreamCursor some_cursor() {
  StreamCursor cursor;
  cursor.next[0] = 2;
  cursor.next[7] = 300;
  cursor.next[255] = std::uint64_t(-1);
  return cursor;
}

}  // namespace

TEST_CASE("A cursor survives its token", "[http]") {
  const auto cursor = GENERATE(StreamCursor{}, some_cursor());
  const auto decoded = decode_cursor("telemetry", encode_cursor("telemetry", cursor));
  REQUIRE(decoded.has_value());
  CHECK(*decoded == cursor);
}

TEST_CASE("A token keeps its form over releases", "[http][golden]") {
  CHECK(encode_cursor("telemetry", StreamCursor{}) == "Afez53A");
  CHECK(encode_cursor("telemetry", some_cursor()) == "AQACB6wC_____________wH_9NR9");
}

TEST_CASE("A token is letters, digits, '-' and '_', and never a number", "[http]") {
  const Bytes token = encode_cursor("telemetry", some_cursor());
  CHECK(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-_") == Bytes::npos);
  CHECK(token.front() == 'A');
}

TEST_CASE("A token of another stream is refused", "[http]") {
  CHECK_FALSE(decode_cursor("other", encode_cursor("telemetry", some_cursor())).has_value());
}

TEST_CASE("Whatever is no token is refused", "[http]") {
  const Bytes token = encode_cursor("s", some_cursor());
  for (std::size_t i = 0; i < token.size(); ++i) {
    CHECK_FALSE(decode_cursor("s", token.substr(0, i)).has_value());
    Bytes changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(decode_cursor("s", changed).has_value());
  }
  CHECK_FALSE(decode_cursor("s", token + "A").has_value());
  CHECK_FALSE(decode_cursor("s", token + "=").has_value());
  CHECK_FALSE(decode_cursor("s", "rubbish!").has_value());
}

TEST_CASE("Base64 follows its standard", "[http]") {
  struct Row {
    Bytes bytes, text;
  };
  const auto row = GENERATE(values<Row>({{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"\xfb\xff", "+/8="}}));
  CHECK(encode_base64(row.bytes) == row.text);
  CHECK(decode_base64url(encode_base64url(row.bytes)) == row.bytes);
}

TEST_CASE("URL-safe base64 has one text for each run of bytes", "[http]") {
  CHECK(encode_base64url("\xfb\xff") == "-_8");
  CHECK_FALSE(decode_base64url("-_9"));  // The same byte with stray bits.
  CHECK_FALSE(decode_base64url("A"));
  CHECK_FALSE(decode_base64url("Zg=="));
}

}  // namespace naru::broker

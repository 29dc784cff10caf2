// test/broker/stream/rule_test.cpp
//
// Goal: a key template takes what it names out of a publish, and says what it did not find.
// Method: tables of templates and JSON texts.

#include "broker/stream/rule.hpp"

#include <catch2/catch.hpp>

#include "broker/stream/json_fields.hpp"

namespace naru::broker {
namespace {

KeyTemplate::Made make(std::string_view text, BytesView topic, BytesView payload) {
  const auto parsed = KeyTemplate::parse(text);
  REQUIRE(parsed.has_value());
  storage::MessageView view;
  view.topic = topic;
  view.payload = payload;
  view.sender = "car-7";
  return parsed->make(view);
}

}  // namespace

TEST_CASE("Templates give keys", "[rule]") {
  struct Row {
    std::string_view text, topic, payload, key;
  };
  const Row rows[] = {
      {"fixed", "t", "", "fixed"},
      {"${client_id}", "t", "", "car-7"},
      {"${topic[0]}", "fleet/9/gps", "", "fleet"},
      {"${topic[1]}/${topic[2]}", "fleet/9/gps", "", "9/gps"},
      {"${topic[1]}", "a//b", "", ""},
      {"${vin}", "t", R"({"vin":"KMH"})", "KMH"},
      {"${a.b}-${n}", "t", R"({"a":{"b":true},"n":12.50})", "true-12.50"},
      {"${n}", "t", R"({"n":-3,"n":4})", "4"},
      {"x${client_id}y", "t", "not json", "xcar-7y"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto made = make(row.text, row.topic, row.payload);
    CHECK(made.key == row.key);
    CHECK((made.note == StreamNote::none) == !row.key.empty());
  }
}

TEST_CASE("What a template cannot fill is a dead letter with the reason", "[rule]") {
  CHECK(make("${topic[5]}", "a/b", "").note == StreamNote::key_missing);
  CHECK(make("${topic[5]}", "a/b", "").note_text == "topic[5]");
  CHECK(make("${vin}", "t", R"({"v":1})").note_text == "vin");
  CHECK(make("${vin}", "t", "{").note == StreamNote::not_json);
  CHECK(make("${vin}", "t", R"({"vin":null})").note == StreamNote::key_missing);
  CHECK(make("${vin}", "t", R"({"vin":[1]})").note == StreamNote::key_missing);
  CHECK(make("${topic[0]}", Bytes(600, 'x'), "").note == StreamNote::key_too_long);
  CHECK(name(StreamNote::too_many_keys) == "too_many_keys");
}

TEST_CASE("Bad templates are refused with what is wrong", "[rule]") {
  for (const std::string_view text :
       {"", "${", "${}", "a${b", "${topic[]}", "${topic[x]}", "${topic[1x]}"}) {
    INFO(text);
    const auto parsed = KeyTemplate::parse(text);
    CHECK_FALSE(parsed.has_value());
    if (!parsed) CHECK(parsed.error().code == Errc::invalid);
  }
}

TEST_CASE("JSON fields are read by path; objects, arrays and null are no values", "[rule]") {
  const std::vector<Bytes> paths = {"s", "o.x", "o", "a", "n", "o.deep.y", "z"};
  const auto fields = read_json_fields(
      R"({"a":[{"s":"in an array"}],"o":{"x":"\u00e9","deep":{"y":1e3}},"s":"","n":null})", paths);
  REQUIRE(fields.valid);
  CHECK(fields.values[0] == "");
  CHECK(fields.values[1] == "\xc3\xa9");
  CHECK_FALSE(fields.values[2]);
  CHECK_FALSE(fields.values[3]);
  CHECK_FALSE(fields.values[4]);
  CHECK(fields.values[5] == "1e3");
  CHECK_FALSE(fields.values[6]);
  for (const BytesView bad : {"", "{", "{\"a\":}", "nope", "{\"a\":1}x"}) {
    INFO(bad);
    CHECK_FALSE(read_json_fields(bad, paths).valid);
  }
  CHECK_FALSE(read_json_fields(Bytes(json_depth_max + 1, '['), paths).valid);
  const Bytes deep = Bytes(json_depth_max, '[') + Bytes(json_depth_max, ']');
  CHECK(read_json_fields(deep, paths).valid);
}

}  // namespace naru::broker

// test/storage/base/options_test.cpp
//
// Goal: a value reads as what its type says and nothing else, and what is written reads back.
// Method: tables of texts with the value or with the words the error must hold.

#include "storage/base/options.hpp"

#include <array>
#include <optional>

#include <catch2/catch.hpp>

namespace naru {
namespace {

enum class Colour : std::uint8_t { red, green };

struct Lamp {
  bool lit = false;
  std::uint16_t watts = 0;
  std::chrono::seconds after{0};
  Colour colour = Colour::red;
  std::string room;
  std::optional<bool> dimmed;
  std::vector<std::string> wires;
};

const std::array lamp_rows = {
    option<&Lamp::lit>({.key = "lit", .type = OptionType::boolean, .default_text = "true"}),
    option<&Lamp::watts>({.key = "watts", .type = OptionType::integer, .max = 100}),
    option<&Lamp::after>({.key = "after", .type = OptionType::duration, .default_text = "90s"}),
    option<&Lamp::colour>({.key = "colour", .type = OptionType::word, .words = "red green"}),
    option<&Lamp::room>({.key = "room"}),
    option<&Lamp::dimmed>({.key = "dimmed", .type = OptionType::boolean}),
    option<&Lamp::wires>({.key = "wire", .repeats = true}),
};

OptionSpec spec_of(OptionType type) {
  return {.key = "it", .type = type, .min = -10, .words = "red green"};
}

}  // namespace

TEST_CASE("A number reads with the units of its type", "[options]") {
  struct Row {
    OptionType type;
    std::string text;
    std::int64_t value;
  };
  const auto row = GENERATE(values<Row>({
      {OptionType::integer, "17", 17},
      {OptionType::integer, "-1", -1},
      {OptionType::integer, "  17 trailing words", 17},
      {OptionType::integer, "20foo", 20},  // As atoi() reads it for mosquitto.
      {OptionType::integer, "-1\t2", -1},
      {OptionType::bytes, "200", 200},
      {OptionType::bytes, "64k", 65'536},
      {OptionType::bytes, "2M", 2'097'152},
      {OptionType::bytes, "3G", 3'221'225'472},
      {OptionType::duration, "0", 0},
      {OptionType::duration, "250ms", 250},
      {OptionType::duration, "2m", 120'000},
      {OptionType::duration, "48h", 172'800'000},
      {OptionType::duration, "1y", 31'536'000'000},
      {OptionType::lifetime, "2m", 5'184'000'000},  // Months, as mosquitto counts them.
      {OptionType::word, "green", 1},
  }));
  CAPTURE(row.text);
  const auto value = parse_option(spec_of(row.type), row.text);
  REQUIRE(value.has_value());
  CHECK(std::get<std::int64_t>(*value) == row.value);
  CHECK(parse_option(spec_of(row.type), format_option(spec_of(row.type), *value)).value() ==
        *value);
}

TEST_CASE("A wrong value is refused with its key and what would be right", "[options]") {
  struct Row {
    OptionType type;
    std::string text;
    std::string hint;
  };
  const auto row = GENERATE(values<Row>({
      {OptionType::boolean, "yes", "true or false"},
      {OptionType::boolean, "True", "true or false"},
      {OptionType::boolean, "", "it has no value"},
      {OptionType::integer, "x12", "cannot be 'x12'"},
      {OptionType::integer, "-", "cannot be '-'"},
      {OptionType::integer, "10k", "cannot be '10k'"},
      {OptionType::integer, "-11", "-10 or more"},
      {OptionType::integer, "99999999999999999999", "whole number"},
      {OptionType::integer, "-9223372036854775808", "whole number"},
      {OptionType::bytes, "9999999999999G", "number of bytes"},
      {OptionType::bytes, "5MB", "number of bytes"},
      {OptionType::duration, "10", "a time such as"},
      {OptionType::lifetime, "10ms", "2m (months)"},
      {OptionType::text, "   ", "it has no value"},
      {OptionType::word, "blue", "one of red, green"},
  }));
  CAPTURE(row.text);
  const auto value = parse_option(spec_of(row.type), row.text);
  REQUIRE_FALSE(value.has_value());
  CHECK(value.error().text.starts_with("it "));
  CHECK_THAT(value.error().text, Catch::Contains(row.hint));
}

TEST_CASE("Text is the whole rest of the line without the blanks around it", "[options]") {
  const auto value = parse_option(spec_of(OptionType::text), "  /var/lib/a b # c \t");
  CHECK(std::get<std::string>(*value) == "/var/lib/a b # c");
}

TEST_CASE("Rows fill members of every kind and dump what reads back", "[options]") {
  Lamp lamp;
  set_defaults(lamp, lamp_rows);
  CHECK(lamp.lit);
  CHECK(lamp.after == std::chrono::seconds{90});

  const auto set = [&](std::string_view key, std::string_view text) {
    const auto* const row = find_option(lamp_rows, key);
    REQUIRE(row != nullptr);
    row->set(lamp, parse_option(row->spec, text).value());
  };
  set("watts", "60");
  set("colour", "green");
  set("dimmed", "false");
  set("wire", "brown");
  set("wire", "blue");
  CHECK(find_option(lamp_rows, "voltage") == nullptr);

  std::string out;
  dump_options(out, lamp, lamp_rows);
  CHECK(out ==
        "lit true\nwatts 60\nafter 90s\ncolour green\n# room (not set)\ndimmed false\n"
        "wire brown\nwire blue\n");
}

TEST_CASE("A secret shows neither in a dump nor in an error", "[options]") {
  const OptionSpec spec{.key = "token", .type = OptionType::integer, .secret = true};
  CHECK(format_option(spec, OptionValue{std::int64_t{4711}}) == "(hidden)");
  CHECK_THAT(parse_option(spec, "x4711").error().text, !Catch::Contains("4711"));
}

TEST_CASE("The nearest key is found within a few letters", "[options]") {
  const std::vector<std::string_view> keys = {"listener", "max_keepalive", "user"};
  CHECK(find_nearest("listner", keys) == "listener");
  CHECK(find_nearest("lsitener", keys) == "listener");
  CHECK(find_nearest("max_keep_alive", keys) == "max_keepalive");
  CHECK(find_nearest("uzer", keys) == "user");
  CHECK(find_nearest("tls", keys).empty());
  CHECK(find_nearest("", keys).empty());
}

TEST_CASE("The reference shows type, bounds, default and help", "[options]") {
  const OptionSpec spec{.key = "watts",
                        .type = OptionType::integer,
                        .default_text = "60",
                        .min = 1,
                        .max = 100,
                        .unit = "watts",
                        .reloadable = true,
                        .help = "How bright."};
  CHECK(describe_option(spec) ==
        "| `watts` | a whole number, 1 to 100 watts | 60 | yes | How bright. |\n");
}

}  // namespace naru

// test/tools/time_argument_test.cpp
//
// Goal: what people type as a time is understood or refused with a sentence, never guessed.
// Method: tables of texts with their meaning, against a fixed "now".

#include <catch2/catch.hpp>

#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr WallMillis now = 1'785'585'600'000;  // 2026-08-01T12:00:00Z.

struct Row {
  const char* text;
  std::int64_t millis;
};

}  // namespace

TEST_CASE("A duration is a number with a unit, seconds by default", "[tools]") {
  const auto row = GENERATE(values<Row>({{"0", 0},
                                         {"90", 90'000},
                                         {"90s", 90'000},
                                         {"250ms", 250},
                                         {"15m", 900'000},
                                         {"2h", 7'200'000},
                                         {"3d", 259'200'000}}));
  CAPTURE(row.text);
  const auto duration = parse_duration(row.text);
  REQUIRE(duration.has_value());
  CHECK(duration->count() == row.millis);
}

TEST_CASE("A duration that is not one is refused and quoted", "[tools]") {
  const auto* text = GENERATE("", "s", "-5s", "5 s", "5w", "1.5h", "99999999999999d", "5ss");
  CAPTURE(text);
  const auto duration = parse_duration(text);
  REQUIRE(!duration.has_value());
  CHECK(duration.error().code == Errc::invalid);
  CHECK(duration.error().text.find("'" + std::string{text} + "'") == 0);
}

TEST_CASE("A time is ISO 8601, in UTC unless it names a zone, or a duration ago", "[tools]") {
  const auto row = GENERATE(values<Row>({{"2026-08-01T12:00:00Z", 1'785'585'600'000},
                                         {"2026-08-01T12:00", 1'785'585'600'000},
                                         {"2026-08-01 12:00:00", 1'785'585'600'000},
                                         {"2026-08-01T21:00:00+09:00", 1'785'585'600'000},
                                         {"2026-08-01T07:00:00-0500", 1'785'585'600'000},
                                         {"2026-08-01T12:00:00.25Z", 1'785'585'600'250},
                                         {"2026-08-01T12:00:00.1239", 1'785'585'600'123},
                                         {"2026-08-01", 1'785'542'400'000},
                                         {"1970-01-01T00:00:00Z", 0},
                                         {"-15m", 1'785'584'700'000},
                                         {"-0s", 1'785'585'600'000}}));
  CAPTURE(row.text);
  const auto time = parse_time(row.text, now);
  REQUIRE(time.has_value());
  CHECK(*time == static_cast<WallMillis>(row.millis));
}

TEST_CASE("A time that is not one is refused", "[tools]") {
  const auto* text =
      GENERATE("", "now", "2026-13-01", "2026-02-30", "2026-08-01T25:00", "2026-08-01T12",
               "2026-08-01T12:00:00X", "2026-08-01T12:00:00+", "2026-08-01T12:00:00.Z", "2026-8-1",
               "-", "-5", "-5x", "2026-08-01Z1", "1970-01-01T00:00:00+01:00");
  CAPTURE(text);
  // A bare "-5" means five seconds ago; everything else in the list is wrong.
  CHECK(parse_time(text, now).has_value() == (std::string_view{text} == "-5"));
}

TEST_CASE("A stream position keeps words and tokens and turns times into Unix time", "[tools]") {
  CHECK(*stream_position("earliest", now) == "earliest");
  CHECK(*stream_position("latest", now) == "latest");
  CHECK(*stream_position("q80Bxyz", now) == "q80Bxyz");
  CHECK(stream_position("", now)->empty());
  CHECK(*stream_position("-15m", now) == "1785584700000");
  CHECK(*stream_position("2026-08-01T12:00:00Z", now) == "1785585600000");
  CHECK(!stream_position("-15q", now).has_value());
  CHECK(!stream_position("2026-08-99", now).has_value());
}

TEST_CASE("Times are printed in UTC with milliseconds", "[tools]") {
  CHECK(format_time(now + 7) == "2026-08-01T12:00:00.007Z");
  CHECK(format_time(0) == "1970-01-01T00:00:00.000Z");
}

TEST_CASE("Durations are printed with their two largest units", "[tools]") {
  CHECK(format_duration(Millis{0}) == "0s");
  CHECK(format_duration(Millis{250}) == "250ms");
  CHECK(format_duration(Seconds{59}) == "59s");
  CHECK(format_duration(Seconds{725}) == "12m 5s");
  CHECK(format_duration(Seconds{3 * 86'400 + 59}) == "3d");
  CHECK(format_duration(Seconds{49 * 3600}) == "2d 1h");
}

}  // namespace naru::tools

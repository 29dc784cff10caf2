// test/storage/base/metrics_test.cpp
//
// Goal: metrics and log lines say what was counted or happened, in a form nobody outside can
// forge. Method: exact texts.

#include "storage/base/metrics.hpp"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "storage/base/limits.hpp"
#include "storage/base/log.hpp"
#include "storage/base/rate_limit.hpp"

namespace naru {
namespace {

struct DoorStats {
  std::uint64_t openings = 0;
  std::uint64_t people = 0;
};

constexpr std::array door_rows = {
    MetricRow<DoorStats>{&DoorStats::openings, "naru_door_openings_total", MetricKind::counter,
                         "How often it was opened."},
    MetricRow<DoorStats>{&DoorStats::people, "naru_door_people", MetricKind::gauge,
                         "Who is inside,\nnow."},
};

Instant at(std::int64_t seconds) { return Instant{} + Seconds{seconds}; }

}  // namespace

TEST_CASE("A table of metrics is exposed with help, kind and value", "[metrics]") {
  std::string out;
  expose(out, door_rows, DoorStats{3, 4});
  CHECK(out ==
        "# HELP naru_door_openings_total How often it was opened.\n"
        "# TYPE naru_door_openings_total counter\n"
        "naru_door_openings_total 3\n"
        "# HELP naru_door_people Who is inside,\\nnow.\n"
        "# TYPE naru_door_people gauge\n"
        "naru_door_people 4\n");
}

TEST_CASE("Several sources share one head and differ by labels", "[metrics]") {
  const std::vector<LabelledStats<DoorStats>> doors = {{{{"side", "left"}, {"floor", "1"}}, {1, 2}},
                                                       {{{"side", "a\"\\\nb"}}, {3, 4}}};
  std::string out;
  expose(out, std::array{door_rows[0]}, doors);
  CHECK(out ==
        "# HELP naru_door_openings_total How often it was opened.\n"
        "# TYPE naru_door_openings_total counter\n"
        "naru_door_openings_total{side=\"left\",floor=\"1\"} 1\n"
        "naru_door_openings_total{side=\"a\\\"\\\\\\nb\"} 3\n");
}

TEST_CASE("Rows of one name share a head and differ by their own label", "[metrics]") {
  constexpr std::array rows = {
      MetricRow<DoorStats>{&DoorStats::openings, "naru_door", MetricKind::gauge, "It.", {"a", "x"}},
      MetricRow<DoorStats>{&DoorStats::people, "naru_door", MetricKind::gauge, "It.", {"a", "y"}},
  };
  std::string out;
  expose(out, rows, DoorStats{1, 2});
  CHECK(out ==
        "# HELP naru_door It.\n# TYPE naru_door gauge\n"
        "naru_door{a=\"x\"} 1\nnaru_door{a=\"y\"} 2\n");
}

TEST_CASE("A histogram of times counts into powers of two", "[metrics]") {
  TimeHistogram times;
  CHECK(times.bound_us(0.5) == 0);
  for (const int us : {-1, 0, 63, 64, 100, 5'000, 60'000'000}) times.add(Duration{us});
  CHECK(times.count() == 7);
  CHECK(times.sum_us == 60'005'227);
  CHECK(times.bound_us(0.0) == 1);
  CHECK(times.bound_us(0.5) == 128);
  CHECK(times.bound_us(1.0) == std::uint64_t{1} << 23);
  std::string out;
  expose_histogram(out, "naru_door_seconds", times);
  CHECK(
      out.starts_with("naru_door_seconds_bucket{le=\"0.000064\"} 3\n"
                      "naru_door_seconds_bucket{le=\"0.000128\"} 5\n"));
  CHECK(
      out.ends_with("naru_door_seconds_bucket{le=\"4.194304\"} 6\n"
                    "naru_door_seconds_bucket{le=\"+Inf\"} 7\n"
                    "naru_door_seconds_sum 60.005227\nnaru_door_seconds_count 7\n"));
}

TEST_CASE("Shards' structs add up row by row", "[metrics]") {
  DoorStats total{1, 2};
  add_stats(total, DoorStats{10, 20}, door_rows);
  CHECK(total.openings == 11);
  CHECK(total.people == 22);
}

TEST_CASE("The name of a metric says its kind", "[metrics]") {
  for (const auto& row : door_rows) CHECK(is_metric_name(row.name, row.kind));
  CHECK_FALSE(is_metric_name("naru_door_people", MetricKind::counter));
  CHECK_FALSE(is_metric_name("naru_door_total", MetricKind::gauge));
  CHECK_FALSE(is_metric_name("door_people", MetricKind::gauge));
  CHECK_FALSE(is_metric_name("naru_door-people", MetricKind::gauge));
}

TEST_CASE("A line of the log has its event and fields, and cannot be forged", "[log]") {
  const std::string own = "plain";
  CHECK(format_event("start", {}) == "start");
  CHECK(format_event("opened", {{"port", std::uint16_t{1883}},
                                {"delta", -5},
                                {"ok", true},
                                {"load", 0.5},
                                {"name", own},
                                {"text", "two words"}}) ==
        "opened port=1883 delta=-5 ok=true load=0.5 name=plain text=\"two words\"");
  CHECK(format_event("refused", {{"client", "a\nstart x=\"1\"\\"}, {"user", ""}}) ==
        "refused client=\"a\\x0astart x=\\\"1\\\"\\\\\" user=\"\"");
  const std::string longer(limits::log_value_bytes + 1, 'x');
  CHECK(format_event("e", {{"v", longer}}) == "e v=\"" + longer.substr(1) + "...\"");
}

TEST_CASE("The level of the log is tested first", "[log]") {
  set_log_level(Severity::warning);
  CHECK(is_logged(Severity::error));
  CHECK_FALSE(is_logged(Severity::notice));
  set_log_level(Severity::off);
  CHECK_FALSE(is_logged(Severity::error));
  CHECK_FALSE(is_logged(Severity::off));
  log(Severity::error, "not_to_be_seen", {{"in", "the output of this test"}});
  set_log_level(Severity::info);
  CHECK_FALSE(
      open_log({.level = Severity::info, .to_stderr = true, .file = "/dev/null/x/y"}).has_value());
}

TEST_CASE("A line is in the log file when it has been logged, whatever its severity", "[log]") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("naru_log_test_" + std::to_string(::getpid()) + ".log");
  REQUIRE(open_log({.level = Severity::debug, .to_stderr = false, .file = path}).has_value());
  log(Severity::debug, "looked_at_at_once", {{"n", 1}});
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  CHECK_THAT(line, Catch::EndsWith(" debug looked_at_at_once n=1"));
  REQUIRE(open_log({}).has_value());
  std::filesystem::remove(path);
}

TEST_CASE("RateLimit lets one per key and interval through and counts the rest", "[log]") {
  RateLimit limit{Seconds{10}};
  CHECK(limit.ask("a", at(0)).pass);
  CHECK_FALSE(limit.ask("a", at(1)).pass);
  CHECK(limit.ask("b", at(1)).pass);
  CHECK_FALSE(limit.ask("a", at(9)).pass);
  const auto verdict = limit.ask("a", at(10));
  CHECK(verdict.pass);
  CHECK(verdict.swallowed == 2);
  CHECK(limit.swallowed() == 2);
}

TEST_CASE("RateLimit gives invented keys one place together", "[log]") {
  RateLimit limit{Seconds{10}, 2};
  CHECK(limit.ask("a", at(0)).pass);
  CHECK(limit.ask("b", at(0)).pass);
  CHECK(limit.ask("c", at(1)).pass);
  for (int i = 0; i < 1'000; ++i) CHECK_FALSE(limit.ask("d" + std::to_string(i), at(2)).pass);
  CHECK(limit.ask("e", at(11)).swallowed == 0);  // The quiet keys made room again.
  CHECK(limit.swallowed() == 1'000);
}

}  // namespace naru

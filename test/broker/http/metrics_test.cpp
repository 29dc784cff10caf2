// test/broker/http/metrics_test.cpp
//
// Goal: what /v1/metrics says is valid, complete, and what the reference page lists. Method: a
// small strict parser of Prometheus' text format over the text of a made-up scrape.

#include "broker/http/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

struct Family {
  Bytes kind, help;
  std::map<Bytes, double> samples;  // By name and labels, as written.
  std::set<Bytes> labels;           // Their names.
};
struct Exposition {
  std::map<Bytes, Family> families;
  Bytes fault;  // The first line that breaks a rule.
};

bool is_name(BytesView text) {
  return !text.empty() && (text[0] < '0' || text[0] > '9') &&
         std::ranges::all_of(text,
                             [](unsigned char c) { return c == '_' || std::isalnum(c) != 0; });
}

// name="value",... without the braces; false where it is not that.
bool read_labels(BytesView text, std::set<Bytes>& names) {
  std::set<Bytes> seen;
  while (!text.empty()) {
    const std::size_t equals = text.find("=\"");
    if (equals == BytesView::npos || !is_name(text.substr(0, equals))) return false;
    if (!seen.insert(Bytes{text.substr(0, equals)}).second) return false;
    std::size_t at = equals + 2;
    while (at < text.size() && text[at] != '"') {
      if (text[at] == '\\') {
        ++at;
        if (at >= text.size() || BytesView{"\\\"n"}.find(text[at]) == BytesView::npos) return false;
      }
      ++at;
    }
    if (at >= text.size()) return false;
    text.remove_prefix(at + 1);
    if (text.empty()) break;
    if (text[0] != ',' || text.size() == 1) return false;
    text.remove_prefix(1);
  }
  names.insert(seen.begin(), seen.end());
  return true;
}

// The family a sample belongs to: a histogram's samples have names of their own.
BytesView family_of(BytesView name, const Bytes& current, const Family& family) {
  if (family.kind != "histogram") return name;
  for (const char* suffix : {"_bucket", "_sum", "_count"}) {
    if (name == current + suffix) return current;
  }
  return name;
}

bool read_sample(BytesView line, const Bytes& current, Family& family) {
  const std::size_t space = line.rfind(' ');
  if (space == BytesView::npos) return false;
  const BytesView series = line.substr(0, space);
  const std::size_t brace = series.find('{');
  const BytesView name = series.substr(0, brace);
  if (!is_name(name) || family_of(name, current, family) != current) return false;
  if (brace != BytesView::npos) {
    if (!series.ends_with('}')) return false;
    if (!read_labels(series.substr(brace + 1, series.size() - brace - 2), family.labels)) {
      return false;
    }
  }
  double value = 0;
  const BytesView number = line.substr(space + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc{} || end != number.data() + number.size()) return false;
  return family.samples.emplace(series, value).second;
}

Exposition parse(const Bytes& text) {
  Exposition all;
  Bytes current;
  std::istringstream lines{text};
  for (Bytes line; std::getline(lines, line);) {
    std::istringstream words{line};
    Bytes hash, what, name, rest;
    words >> hash >> what >> name;
    std::getline(words, rest);
    bool good = !line.empty();
    if (hash == "#" && what == "HELP") {
      good = is_name(name) && !all.families.contains(name) && rest.size() > 1;
      current = name;
      all.families[current].help = rest.substr(rest.empty() ? 0 : 1);
    } else if (hash == "#" && what == "TYPE") {
      Family& family = all.families[current];
      good = name == current && family.kind.empty() && family.samples.empty();
      family.kind = rest.substr(rest.empty() ? 0 : 1);
      good = good &&
             (family.kind == "counter" || family.kind == "gauge" || family.kind == "histogram");
    } else {
      good = good && !current.empty() && read_sample(line, current, all.families[current]);
    }
    if (!good && all.fault.empty()) all.fault = line.empty() ? "a blank line" : line;
  }
  if (!text.ends_with('\n') && all.fault.empty()) all.fault = "the end";
  return all;
}

Scrape sample_scrape() {
  Scrape scrape;
  scrape.version = "1.2 \"x\"\\\n";
  scrape.node.connections = 7;
  scrape.counters.dropped_slow = 3;
  scrape.commands.running = 2;
  scrape.bridges = {{{{"bridge", "up"}}, {1, 2, 3, 4, 5}}};
  scrape.streams = {{{{"stream", "telemetry"}}, {10, 100, 1}}, {{{"stream", "b"}}, {}}};
  for (const int us : {10, 100, 1'000, 10'000'000}) scrape.commit_times.add(Duration{us});
  return scrape;
}

}  // namespace

TEST_CASE("The parser of these tests refuses what is not the format", "[metrics]") {
  const Bytes text = GENERATE(values<Bytes>({
      "a 1\n",
      "# HELP a x\n# TYPE a gauge\nb 1\n",
      "# HELP a x\n# TYPE a gauge\na 1",
      "# HELP a x\n# TYPE a gauge\na 1\na 2\n",
      "# HELP a x\n# TYPE a gauge\na{b=1} 2\n",
      "# HELP a x\n# TYPE a gauge\na{b=\"1\",} 2\n",
      "# HELP a x\n# TYPE a gauge\na one\n",
      "# HELP a x\n# TYPE a ruler\na 1\n",
      "# HELP a x\n# TYPE b gauge\n",
      "# HELP a x\n# TYPE a gauge\n# HELP a x\n",
      "# HELP a x\n# TYPE a gauge\n\na 1\n",
      "# HELP a x\n# TYPE a gauge\na{b=\"\\x\"} 1\n",
  }));
  CHECK_FALSE(parse(text).fault.empty());
}

TEST_CASE("What is exposed is valid and has every metric of the list", "[metrics]") {
  const Exposition told = parse(metrics_text(sample_scrape()));
  CHECK(told.fault == "");
  std::size_t listed = 0;
  for (const MetricEntry& entry : metric_list()) {
    CAPTURE(entry.name);
    ++listed;
    CHECK(is_metric_name(entry.name, entry.kind));
    REQUIRE(told.families.contains(Bytes{entry.name}));
    const Family& family = told.families.at(Bytes{entry.name});
    CHECK(family.kind == name(entry.kind));
    CHECK(family.help == entry.help);
    CHECK(family.labels == std::set<Bytes>(entry.labels.begin(), entry.labels.end()));
    CHECK_FALSE(family.samples.empty());
  }
  CHECK(listed == told.families.size());
}

TEST_CASE("Samples carry what was counted", "[metrics]") {
  const Exposition told = parse(metrics_text(sample_scrape()));
  const auto value = [&told](const Bytes& family, const Bytes& series) {
    return told.families.at(family).samples.at(series);
  };
  CHECK(value("naru_connections", "naru_connections") == 7);
  CHECK(value("naru_dropped_total", "naru_dropped_total{cause=\"slow\"}") == 3);
  CHECK(value("naru_dropped_total", "naru_dropped_total{cause=\"expired\"}") == 0);
  CHECK(value("naru_commands", "naru_commands{state=\"running\"}") == 2);
  CHECK(value("naru_stream_records", "naru_stream_records{stream=\"telemetry\"}") == 10);
  CHECK(value("naru_commit_seconds", "naru_commit_seconds_count") == 4);
  CHECK(value("naru_commit_seconds", "naru_commit_seconds_bucket{le=\"0.000128\"}") == 2);
  CHECK(value("naru_commit_seconds", "naru_commit_seconds_bucket{le=\"+Inf\"}") == 4);
}

TEST_CASE("The buckets of a histogram never fall", "[metrics]") {
  const Exposition told = parse(metrics_text(sample_scrape()));
  std::map<double, double> buckets;
  for (const auto& [series, count] : told.families.at("naru_commit_seconds").samples) {
    const std::size_t at = series.find("le=\"");
    if (at != Bytes::npos) buckets[std::stod(series.substr(at + 4))] = count;
  }
  CHECK(buckets.size() == 18);
  double before = 0;
  for (const auto& [bound, count] : buckets) {
    CHECK(count >= before);
    before = count;
  }
}

TEST_CASE("The reference page is what the list says today", "[metrics]") {
  std::ifstream file{NARU_METRICS_PAGE};
  std::stringstream page;
  page << file.rdbuf();
  INFO("narud --metrics-reference > deploy/guide/metrics.md");
  CHECK(page.str() == metrics_reference());
}

}  // namespace naru::broker

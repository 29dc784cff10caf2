// storage/base/metrics.cpp: the text format of Prometheus, version 0.0.4.

#include "storage/base/metrics.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>

namespace naru {
namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out.append("\\n");
    } else if (c == '\\' || (c == '"' && quotes)) {
      out.append("\\").push_back(c);
    } else {
      out.push_back(c);
    }
  }
}

constexpr std::size_t first_bucket = 6;  // 2^6 us; nothing that is timed is faster.

std::string seconds(std::uint64_t microseconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%llu.%06llu",
                static_cast<unsigned long long>(microseconds / 1'000'000),
                static_cast<unsigned long long>(microseconds % 1'000'000));
  return text;
}

}  // namespace

std::string_view name(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter: return "counter";
    case MetricKind::gauge: return "gauge";
    case MetricKind::histogram: return "histogram";
  }
  return "";
}

void TimeHistogram::add(Duration took) {
  const auto us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::max(took, Duration{0})).count());
  const auto row = static_cast<std::size_t>(std::bit_width(us));
  ++rows[std::min(row, rows.size() - 1)];
  sum_us += us;
}

std::uint64_t TimeHistogram::count() const {
  std::uint64_t all = 0;
  for (const std::uint64_t row : rows) all += row;
  return all;
}

std::uint64_t TimeHistogram::bound_us(double share) const {
  const auto wanted = share * static_cast<double>(count());
  std::uint64_t seen = 0;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    seen += rows[row];
    if (seen != 0 && static_cast<double>(seen) >= wanted) return std::uint64_t{1} << row;
  }
  return 0;
}

void expose_histogram(std::string& out, std::string_view name, const TimeHistogram& times) {
  const std::string bucket = std::string{name} + "_bucket";
  std::uint64_t seen = 0;
  for (std::size_t row = 0; row + 1 < times.rows.size(); ++row) {
    seen += times.rows[row];
    if (row < first_bucket) continue;
    expose_sample(out, bucket, {{"le", seconds(std::uint64_t{1} << row)}}, seen);
  }
  const std::uint64_t count = seen + times.rows.back();
  expose_sample(out, bucket, {{"le", "+Inf"}}, count);
  out.append(name).append("_sum ").append(seconds(times.sum_us)).append("\n");
  expose_sample(out, std::string{name} + "_count", {}, count);
}

void expose_head(std::string& out, std::string_view name, MetricKind kind, std::string_view help) {
  out.append("# HELP ").append(name).append(" ");
  append_escaped(out, help, false);
  out.append("\n# TYPE ").append(name).append(" ").append(naru::name(kind)).append("\n");
}

void expose_sample(std::string& out, std::string_view name, const MetricLabels& labels,
                   std::uint64_t value) {
  out.append(name);
  char before = '{';
  for (const auto& [label, text] : labels) {
    out.push_back(std::exchange(before, ','));
    out.append(label).append("=\"");
    append_escaped(out, text, true);
    out.append("\"");
  }
  out.append(labels.empty() ? " " : "} ").append(std::to_string(value)).append("\n");
}

bool is_metric_name(std::string_view name, MetricKind kind) {
  const bool letters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  return letters && name.starts_with("naru_") &&
         name.ends_with("_total") == (kind == MetricKind::counter) &&
         (kind != MetricKind::histogram || name.ends_with("_seconds"));
}

}  // namespace naru

// storage/base/metrics.hpp
//
// A metric is a plain std::uint64_t in a struct of its component and one row of a table: name,
// kind, help. The component only counts (++stats.publishes); whoever is asked for metrics adds up
// the shards' structs and walks the rows.
//
// Sans-IO. A struct lives on its component's thread and is copied when asked for; rows are
// constants. Nothing here runs on the hot path.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/clock.hpp"

namespace naru {

enum class MetricKind : std::uint8_t {
  counter,    // Only grows while the process lives; its name ends in _total.
  gauge,      // Goes up and down.
  histogram,  // A TimeHistogram; its name ends in _seconds.
};
std::string_view name(MetricKind kind);

// Tells samples of one name apart. Values are ours or the operator's, never a client's choice:
// each makes a new time series.
struct MetricLabel {
  std::string_view name;  // Empty: none.
  std::string_view value;
};

template <class Stats>
struct MetricRow {
  std::uint64_t Stats::*member;
  std::string_view name;  // With the prefix naru_ and, for other units than pieces, the unit.
  MetricKind kind;
  std::string_view help;
  MetricLabel label{};  // Rows of one name stand together and share its help.
};

// Adds each metric of `part` to `total`.
template <class Stats, class Rows>
void add_stats(Stats& total, const Stats& part, const Rows& rows) {
  for (const auto& row : rows) total.*row.member += part.*row.member;
}

// How long something took, counted by powers of two: three plain additions a time.
struct TimeHistogram {
  std::array<std::uint64_t, 24> rows{};  // Row n: below 2^n microseconds; the last: all else.
  std::uint64_t sum_us = 0;

  void add(Duration took);
  std::uint64_t count() const;
  // The time below which this share of them stayed, as the upper bound of its row.
  std::uint64_t bound_us(double share) const;
};

// Where a sample comes from, such as {{"shard", "3"}}.
using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

// The lines that head a metric, and one sample of it, in the text format of Prometheus.
void expose_head(std::string& out, std::string_view name, MetricKind kind, std::string_view help);
void expose_sample(std::string& out, std::string_view name, const MetricLabels& labels,
                   std::uint64_t value);
// The buckets from 64 us to 4 s, sum and count of a histogram, in seconds.
void expose_histogram(std::string& out, std::string_view name, const TimeHistogram& times);

// A name that may stand in front of the samples, and is what its kind says.
bool is_metric_name(std::string_view name, MetricKind kind);

template <class Stats>
struct LabelledStats {
  MetricLabels labels;
  Stats stats;
};

// All metrics of the table, each with the samples of every source.
template <class Stats, class Rows>
void expose(std::string& out, const Rows& rows, const std::vector<LabelledStats<Stats>>& sources) {
  std::string_view before;
  for (const auto& row : rows) {
    if (row.name != before) expose_head(out, row.name, row.kind, row.help);
    before = row.name;
    for (const auto& [labels, stats] : sources) {
      MetricLabels all = labels;
      if (!row.label.name.empty()) all.emplace_back(row.label.name, row.label.value);
      expose_sample(out, row.name, all, stats.*row.member);
    }
  }
}

template <class Stats, class Rows>
void expose(std::string& out, const Rows& rows, const Stats& stats) {
  expose(out, rows, std::vector<LabelledStats<Stats>>{{{}, stats}});
}

}  // namespace naru

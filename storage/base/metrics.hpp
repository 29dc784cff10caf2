// storage/base/metrics.hpp
//
// A metric is a plain std::uint64_t in a struct of its component and one row of a table: name,
// kind, help. The component only counts (++stats.publishes); whoever is asked for metrics adds up
// the shards' structs and walks the rows.
//
// Sans-IO. A struct lives on its component's thread and is copied when asked for; rows are
// constants. Nothing here runs on the hot path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace naru {

enum class MetricKind : std::uint8_t {
  counter,  // Only grows while the process lives; its name ends in _total.
  gauge,    // Goes up and down.
};

template <class Stats>
struct MetricRow {
  std::uint64_t Stats::*member;
  std::string_view name;  // With the prefix naru_ and, for other units than pieces, the unit.
  MetricKind kind;
  std::string_view help;
};

// Adds each metric of `part` to `total`.
template <class Stats, class Rows>
void add_stats(Stats& total, const Stats& part, const Rows& rows) {
  for (const auto& row : rows) total.*row.member += part.*row.member;
}

// Where a sample comes from, such as {{"shard", "3"}}. Names are ours; values may be anything,
// but never one of a client's choice: each makes a new time series.
using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

// The lines that head a metric, and one sample of it, in the text format of Prometheus.
void expose_head(std::string& out, std::string_view name, MetricKind kind, std::string_view help);
void expose_sample(std::string& out, std::string_view name, const MetricLabels& labels,
                   std::uint64_t value);

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
  for (const auto& row : rows) {
    expose_head(out, row.name, row.kind, row.help);
    for (const auto& [labels, stats] : sources) {
      expose_sample(out, row.name, labels, stats.*row.member);
    }
  }
}

template <class Stats, class Rows>
void expose(std::string& out, const Rows& rows, const Stats& stats) {
  for (const auto& row : rows) {
    expose_head(out, row.name, row.kind, row.help);
    expose_sample(out, row.name, {}, stats.*row.member);
  }
}

}  // namespace naru

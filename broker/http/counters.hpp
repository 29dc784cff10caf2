// broker/http/counters.hpp
//
// The counters of shards by name: for /v1/status and for metrics (broker/http/metrics.hpp).
//
// Sans-IO constants. Lives on any thread.
#pragma once

#include <span>

#include "broker/session/shard_output.hpp"
#include "storage/base/metrics.hpp"

namespace naru::broker {

std::span<const MetricRow<ShardCounters>> counter_rows();
// Has a row for each cause; together they are all that was dropped.
inline constexpr std::string_view dropped_metric = "naru_dropped_total";

// The name in /v1/status: naru_publishes_in_total is publishes_in there, and naru_dropped_total
// with the label cause="slow" is dropped_slow.
Bytes short_name(const MetricRow<ShardCounters>& row);

}  // namespace naru::broker

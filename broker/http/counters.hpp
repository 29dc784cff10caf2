// broker/http/counters.hpp
//
// The counters of shards by name: for /v1/status and, later, for metrics.
//
// Sans-IO constants. Lives on any thread.
#pragma once

#include <span>

#include "broker/session/shard_output.hpp"
#include "storage/base/metrics.hpp"

namespace naru::broker {

std::span<const MetricRow<ShardCounters>> counter_rows();

// The name in /v1/status: naru_publishes_in_total is publishes_in there.
std::string_view short_name(const MetricRow<ShardCounters>& row);

}  // namespace naru::broker

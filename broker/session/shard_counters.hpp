// broker/session/shard_counters.hpp
//
// ShardCounters are what the cores of one shard count; each has its metric in
// broker/http/counters.cpp.
//
// Sans-IO values. Lives on the shard. Owned by ShardCore; copied for whoever asks.
#pragma once

#include <cstdint>

namespace naru::broker {

// Plain counters; summed over shards when somebody asks (storage/base/metrics.hpp).
struct ShardCounters {
  std::uint64_t publishes_in = 0, deliveries_out = 0, bytes_in = 0, bytes_out = 0;
  std::uint64_t connects = 0, refused_connects = 0, disconnects = 0, takeovers = 0;
  std::uint64_t dropped_queue_full = 0, dropped_expired = 0, dropped_too_large = 0;
  std::uint64_t dropped_unfit = 0, dropped_slow = 0, dropped_lost = 0;
  std::uint64_t dropped_group_ended = 0;
  std::uint64_t wrong_identity = 0;
  std::uint64_t denied_connects = 0, denied_publishes = 0, denied_subscribes = 0;
  std::uint64_t denied_deliveries = 0;
  std::uint64_t no_match = 0, repeated = 0, failed_commits = 0, dead_letters = 0;
  std::uint64_t delayed_published = 0, refused_delayed = 0;
  std::uint64_t wills = 0, commands = 0, stream_records = 0, protocol_errors = 0;
  std::uint64_t refused_disk_full = 0, held_clients = 0;
  std::uint64_t failed_handshakes = 0, failed_access_calls = 0;
  std::uint64_t turned_away_full = 0, turned_away_address_full = 0, turned_away_rate = 0;
  std::uint64_t turned_away_address_rate = 0, turned_away_memory = 0, turned_away_late = 0;
  std::uint64_t beyond_filter_levels = 0, beyond_subscriptions = 0, beyond_rate = 0;
  std::uint64_t beyond_unreleased = 0;
  std::uint64_t throttled = 0;
};

}  // namespace naru::broker

// broker/http/lane_tally.hpp
//
// LaneTally is what the lanes of all shards hold, counted a few thousand clients at a time, so
// that a shard with a million of them serves its connections in between.
//
// Edge: coroutines on shard 0; the counting runs on the shard it counts.
// Lives on: values, handed from shard to shard 0. Owned by the asking coroutine.
// Bounded by: entries_a_step clients and commands in one turn of a shard, and one lane more.
#pragma once

#include <span>

#include "broker/command/ledger.hpp"
#include "broker/http/ask.hpp"
#include "broker/http/stream_totals.hpp"
#include "broker/session/hop.hpp"
#include "storage/base/metrics.hpp"

namespace naru::broker {

inline constexpr std::size_t entries_a_step = 4096;

struct SessionTally {
  std::uint64_t sessions = 0, connected = 0;
  std::uint64_t messages = 0, bytes = 0, in_flight = 0;  // In queues.
  std::uint64_t longest = 0;                             // Messages in the longest queue.
};

struct CommandTally {  // By state, in the order of CommandState.
  std::uint64_t queued = 0, sent = 0, delivered = 0, accepted = 0, running = 0;
  std::uint64_t succeeded = 0, failed = 0, rejected = 0, expired = 0, cancelled = 0;
  std::uint64_t superseded = 0;
};
std::span<const MetricRow<CommandTally>> command_rows();

struct LaneTally {
  SessionTally sessions;
  CommandTally commands;
  std::uint64_t commands_open = 0, commands_ended = 0;
  StreamTotalsByName streams;
};

// Counts lanes from `first` on; says which lane comes next, lane_count when none is left.
std::size_t count_lanes(ShardCore& core, std::size_t first, LaneTally& tally);

awaitable<LaneTally> tally_lanes(Control* control);

}  // namespace naru::broker

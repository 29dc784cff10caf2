// broker/session/lane_context.hpp
//
// LaneContext is what all parts of a shard's lane leadership work with: the lanes themselves, the
// units on their way, what is due, the time, and what the disk has room for.
//
// Sans-IO data. Lives on one shard. Owned by LaneShard; settings, output and counters must outlive
// it. Bounded by what its members are bounded by.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "broker/session/lane_dues.hpp"
#include "broker/session/lane_state.hpp"
#include "broker/session/lane_units.hpp"
#include "broker/session/shard_counters.hpp"
#include "broker/session/shard_output.hpp"
#include "broker/session/shard_settings.hpp"

namespace naru::broker {

struct LaneContext {
  LaneContext(const ShardSettings& settings, ShardOutput& output, ShardCounters& counters);

  LaneState& led(LaneId id);  // REQUIRES: this shard leads it.
  template <class Visitor>
  void each_lane(Visitor&& visit) const {
    for (const auto& lane : lanes) {
      if (lane) visit(*lane);
    }
  }
  void to_front(ConnectionId connection, Hop hop) {
    output.hops[shard_of(connection)].push_back(std::move(hop));
  }
  void to_leader_of(LaneId lane, Hop hop) {
    output.hops[settings.shard_of_lane(lane)].push_back(std::move(hop));
  }

  const ShardSettings& settings;
  ShardOutput& output;
  ShardCounters& counters;
  std::vector<std::unique_ptr<LaneState>> lanes;  // By lane; empty where another shard leads.
  LaneUnits units;
  LaneDues dues;
  DiskRoom room;
  StoreMillis store_now = 0;
  WallMillis wall = 0;
};

}  // namespace naru::broker

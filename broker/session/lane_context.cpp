#include "broker/session/lane_context.hpp"

#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"

namespace naru::broker {

LaneContext::LaneContext(const ShardSettings& shard_settings, ShardOutput& shard_output,
                         ShardCounters& shard_counters)
    : settings(shard_settings),
      output(shard_output),
      counters(shard_counters),
      lanes(cluster::lane_count),
      units(shard_settings, shard_output) {
  for (LaneId id = 0; id < cluster::lane_count; ++id) {
    if (settings.shard_of_lane(id) != settings.shard) continue;
    lanes[id] = std::make_unique<LaneState>(id);
    lanes[id]->log() = cluster::LaneLog{settings.incarnation, 0};
  }
}

LaneState& LaneContext::led(LaneId id) {
  NARU_CHECK(id < lanes.size() && lanes[id]);
  return *lanes[id];
}

}  // namespace naru::broker

// broker/session/lane_origins.hpp
//
// LaneOrigins knows in which lanes of this shard a message that may come twice (a released QoS 2
// publish, a will) has been taken, so that they can forget it when it cannot come any more.
//
// Sans-IO. Lives on one shard. Owned by LaneParts. Bounded by the outboxes of all shards.
#pragma once

#include <map>
#include <vector>

#include "broker/session/lane_context.hpp"

namespace naru::broker {

class LaneOrigins {
 public:
  explicit LaneOrigins(LaneContext& context) : context_(context) {}

  void note(const storage::Origin& origin, LaneId lane) { lanes_[origin].push_back(lane); }
  void on(const hop::OriginForget& forget);
  // It was not written: tried again by retry().
  void failed(const storage::OriginForgotten& origin, LaneId lane);
  void retry();

 private:
  LaneContext& context_;
  std::map<storage::Origin, std::vector<LaneId>, OriginLess> lanes_;
  std::vector<storage::OriginForgotten> failed_;
};

}  // namespace naru::broker

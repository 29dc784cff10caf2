#include "broker/session/lane_origins.hpp"

#include <utility>

namespace naru::broker {

using storage::OriginForgotten;

void LaneOrigins::on(const hop::OriginForget& forget) {
  const auto lanes = lanes_.find(origin_of(forget.origin));
  if (lanes == lanes_.end()) return;
  UnitDraft unit{context_.units};
  for (const LaneId id : lanes->second) unit.add(context_.led(id), forget.origin);
  lanes_.erase(lanes);
  unit.submit(false);
}

void LaneOrigins::failed(const OriginForgotten& origin, LaneId lane) {
  note(origin_of(origin), lane);
  failed_.push_back(origin);
}

void LaneOrigins::retry() {
  for (const OriginForgotten& origin : std::exchange(failed_, {})) on(hop::OriginForget{origin});
}

}  // namespace naru::broker

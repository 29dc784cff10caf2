// cluster/lanes/lane_id.hpp
//
// Which lane a client id, or a stream's key, belongs to. The hash is part of the stored format:
// changing it would lose every session, so its values are pinned by a golden test.
//
// Sans-IO; pure. Lives on any thread.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/crc32c.hpp"

namespace naru::cluster {

using LaneId = std::uint16_t;

inline constexpr LaneId lane_count = 256;  // Fixed when a cluster is created; a power of two.

inline LaneId lane_of(BytesView key) { return static_cast<LaneId>(crc32c(key) & (lane_count - 1)); }

}  // namespace naru::cluster

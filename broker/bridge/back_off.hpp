// broker/bridge/back_off.hpp
//
// BackOff says how long to wait before the next attempt: always the same, or longer each time with
// a random part, so that a thousand bridges do not come back at once.
//
// Sans-IO; the generator is handed in. Lives on one thread. Owned by BridgeCore, by value.
// Bounded by: `most`.
#pragma once

#include <algorithm>

#include "storage/base/clock.hpp"
#include "storage/base/rng.hpp"

namespace naru::broker {

class BackOff {
 public:
  BackOff(Duration base, Duration most) : base_(base), most_(std::max(base, most)), last_(base) {}

  // Between the base and three times the last wait, at most `most`.
  Duration next(Rng& rng) {
    if (most_ == base_) return base_;
    const std::int64_t span = std::max<std::int64_t>((last_ * 3 - base_).count(), 0);
    const auto more = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(span) + 1));
    last_ = std::min(most_, base_ + Duration{more});
    return last_;
  }
  void reset() { last_ = base_; }

 private:
  const Duration base_, most_;
  Duration last_;
};

}  // namespace naru::broker

// test/support/manual_clock.hpp
//
// ManualClock is a Clock that stands still until a test moves it.
//
// Sans-IO. Lives on one thread. Owned by the test; whoever borrows it must not outlive it.
// Bounded by nothing.
#pragma once

#include "storage/base/clock.hpp"

namespace naru::test {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallMillis wall = 1'700'000'000'000) : wall_(wall) {}

  Instant now() const override { return now_; }
  WallMillis wall() const override { return wall_; }

  // Both times go on together, as they do on a healthy machine. REQUIRES: by >= 0.
  void advance(Duration by);
  // Only the wall clock jumps, forward or back: somebody set it, or there is no clock battery.
  void set_wall(WallMillis wall) { wall_ = wall; }

 private:
  Instant now_;
  WallMillis wall_;
  Duration part_of_milli_{0};  // Below one millisecond, so that many small steps add up.
};

}  // namespace naru::test

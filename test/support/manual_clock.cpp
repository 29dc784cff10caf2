#include "test/support/manual_clock.hpp"

#include "storage/base/check.hpp"

namespace naru::test {

void ManualClock::advance(Duration by) {
  NARU_CHECK(by >= Duration{0});
  now_ = now_ + by;
  const Duration pending = part_of_milli_ + by;
  const auto whole = std::chrono::duration_cast<Millis>(pending);
  wall_ += static_cast<WallMillis>(whole.count());
  part_of_milli_ = pending - whole;
}

}  // namespace naru::test

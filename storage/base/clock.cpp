#include "storage/base/clock.hpp"

namespace naru {

Instant SystemClock::now() const {
  return {
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

WallMillis SystemClock::wall() const {
  return static_cast<WallMillis>(
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace naru

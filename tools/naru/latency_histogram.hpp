// tools/naru/latency_histogram.hpp
//
// LatencyHistogram counts durations in buckets that grow with them, so that any percentile is
// known within 1/32 of its value.
//
// Sans-IO. Lives on one thread; a value of 1,216 counters. Bounded by: about 36 hours; longer ones
// count as that.
#pragma once

#include <array>
#include <cstdint>

#include "storage/base/clock.hpp"

namespace naru::tools {

class LatencyHistogram {
 public:
  void add(Duration duration);
  std::uint64_t count() const { return count_; }
  // The duration that `share` (0..1) of all do not exceed; zero when there are none.
  Duration percentile(double share) const;

 private:
  static constexpr unsigned step_bits = 5;  // 32 buckets for each doubling.
  static constexpr unsigned doublings = 37;

  std::array<std::uint64_t, (doublings + 1) << step_bits> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace naru::tools

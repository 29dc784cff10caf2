// tools/naru/latency_histogram.cpp
#include "tools/naru/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace naru::tools {

void LatencyHistogram::add(Duration duration) {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  // Small numbers have a bucket each; above, the leading bits choose it.
  const auto bits = static_cast<unsigned>(std::bit_width(micros >> step_bits));
  const std::uint64_t index =
      bits == 0 ? micros
                : (std::uint64_t{bits} << step_bits) + ((micros >> (bits - 1)) - (1u << step_bits));
  ++buckets_[std::min<std::uint64_t>(index, buckets_.size() - 1)];
  ++count_;
}

Duration LatencyHistogram::percentile(double share) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::uint64_t index = 0; index < buckets_.size(); ++index) {
    seen += buckets_[index];
    if (seen < wanted || seen == 0) continue;
    const std::uint64_t bits = index >> step_bits;
    if (bits == 0) return Duration{static_cast<std::int64_t>(index)};
    const std::uint64_t leading = (index & ((1u << step_bits) - 1)) + (1u << step_bits);
    return Duration{static_cast<std::int64_t>(((leading + 1) << (bits - 1)) - 1)};
  }
  return Duration{0};
}

}  // namespace naru::tools

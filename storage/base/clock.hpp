// storage/base/clock.hpp
//
// Time as values that are handed in. Cores never ask for the time; edges own a Clock.
//
//   Instant    monotonic, for timers and intervals; means nothing in another process
//   StoreTime  milliseconds of store time (storage/tables/store_time.hpp), what records carry
//   WallTime   milliseconds since 1970 as the kernel believes; for people, never for expiry
//
// Sans-IO (SystemClock is the edge). Lives on any thread; values.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace naru {

using Duration = std::chrono::microseconds;
using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

struct Instant {
  Duration since_start{0};
  auto operator<=>(const Instant&) const = default;
  Instant operator+(Duration d) const { return {since_start + d}; }
  Instant operator-(Duration d) const { return {since_start - d}; }
  Duration operator-(Instant other) const { return since_start - other.since_start; }
  static constexpr Instant never() { return {Duration::max()}; }
};

using StoreMillis = std::uint64_t;  // Store time, absolute.
using WallMillis = std::uint64_t;   // Unix time, absolute.

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallMillis wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant now() const override;
  WallMillis wall() const override;
};

}  // namespace naru

// storage/base/token_bucket.hpp
//
// TokenBucket lets something happen so many times a second, and a second's worth of it at once.
//
// Sans-IO; the time is handed in. Lives on one thread; a value of 16 bytes. The rate belongs to
// whoever asks, so that it may change. Bounded: it never holds more than a second's worth; take()
// may leave it in debt, which time pays off.
#pragma once

#include <algorithm>
#include <cstdint>

#include "storage/base/clock.hpp"

namespace naru {

class TokenBucket {
 public:
  // Tokens a second, at most; REQUIRES: not 0.
  using Rate = std::uint32_t;

  TokenBucket(Rate rate, Instant now) : level_(burst(rate)), filled_(now) {}

  void refill(Rate rate, Instant now) {
    const std::int64_t passed = std::max<std::int64_t>(0, (now - filled_).count());
    const std::int64_t missing = burst(rate) - level_;
    filled_ = std::max(filled_, now);
    // A token a second is a millionth of one each microsecond.
    level_ = passed >= missing / rate + 1 ? burst(rate) : level_ + passed * rate;
  }
  // One token, or nothing. After refill().
  bool try_take() {
    if (level_ < token) return false;
    level_ -= token;
    return true;
  }
  bool has_any() const { return level_ > 0; }
  void take(std::uint64_t tokens) { level_ -= static_cast<std::int64_t>(tokens) * token; }
  bool is_full(Rate rate) const { return level_ >= burst(rate); }
  // When it will have something, if nothing is taken.
  Instant ready_at(Rate rate) const {
    return has_any() ? filled_ : filled_ + Duration{1 - level_ / rate};
  }

 private:
  static constexpr std::int64_t token = 1'000'000;
  static std::int64_t burst(Rate rate) { return std::int64_t{rate} * token; }

  std::int64_t level_;  // In millionths of a token.
  Instant filled_;
};

}  // namespace naru

// storage/base/rng.hpp
//
// Rng is a small, fast generator of random numbers (xoshiro256**). The same seed gives the same
// numbers on every machine, so a simulation can be played again. It is handed in, never global,
// and never used where somebody must not guess: keys and salts come from OpenSSL.
//
// Sans-IO. Lives on one thread; a value of 32 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "storage/base/bytes.hpp"

namespace naru {

class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  std::uint64_t next();
  // 0 to n - 1, each as likely. REQUIRES: n > 0.
  std::uint64_t below(std::uint64_t n);
  // True with probability p; never for p <= 0, always for p >= 1.
  bool chance(double p);
  Bytes bytes(std::size_t n);
  // A generator of its own, for a part whose draws must not disturb the others'.
  Rng fork() { return Rng{next()}; }

  // What std::shuffle and the like ask of a generator.
  using result_type = std::uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return next(); }

 private:
  std::uint64_t state_[4];
};

}  // namespace naru

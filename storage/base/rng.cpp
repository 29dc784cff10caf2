// storage/base/rng.cpp: xoshiro256** by Blackman and Vigna, its state filled by splitmix64.

#include "storage/base/rng.hpp"

#include <bit>

#include "storage/base/check.hpp"

namespace naru {
namespace {

// Spreads a seed such as 1, 2, 3 over all bits; a state of only zeros cannot come out.
std::uint64_t splitmix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

Rng::Rng(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = splitmix(seed);
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t n) {
  NARU_CHECK(n > 0);
  // The numbers below 2^64 mod n would make small results likelier; they are drawn again.
  const std::uint64_t uneven = (0 - n) % n;
  while (true) {
    const std::uint64_t number = next();
    if (number >= uneven) return number % n;
  }
}

bool Rng::chance(double p) {
  constexpr double steps = 9007199254740992.0;  // 2^53: what a double tells apart below one.
  return static_cast<double>(next() >> 11) < p * steps;
}

Bytes Rng::bytes(std::size_t n) {
  Bytes out(n, '\0');
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < n; ++i, word >>= 8) {
    if (i % 8 == 0) word = next();
    out[i] = static_cast<char>(word & 0xff);
  }
  return out;
}

}  // namespace naru

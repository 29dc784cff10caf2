// tools/naru/absence.cpp
#include "tools/naru/absence.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace naru::tools {
namespace {

constexpr Millis first_pause{50}, longest_pause{1'000};

}  // namespace

bool Absence::outlast(const Error& error, Instant until) {
  if (error.code != Errc::unavailable) return false;
  const Millis pause = std::clamp(pause_ * 2, first_pause, longest_pause);
  if (until != Instant::never() && SystemClock{}.now() + pause >= until) return false;
  if (pause_.count() == 0) {
    std::fprintf(stderr, "naru: %s; waiting for it\n", error.text.c_str());
  }
  pause_ = pause;
  std::this_thread::sleep_for(pause);
  return true;
}

void Absence::over() { pause_ = Millis{0}; }

}  // namespace naru::tools

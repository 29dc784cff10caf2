#include "broker/app/pulse.hpp"

namespace naru::broker {

Pulse::Pulse(std::size_t threads)
    : threads_(threads), asked_(std::make_unique<std::atomic<bool>[]>(threads)) {}

std::optional<std::size_t> Pulse::round(const std::function<void(std::size_t)>& ask) {
  std::optional<std::size_t> silent;
  for (std::size_t n = 0; n < threads_; ++n) {
    if (!asked_[n].exchange(true)) {
      ask(n);
    } else if (!silent) {
      silent = n;
    }
  }
  return silent;
}

}  // namespace naru::broker

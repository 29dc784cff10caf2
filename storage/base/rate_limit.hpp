// storage/base/rate_limit.hpp
//
// RateLimit lets one event per key and interval through and counts those it swallowed.
//
// Sans-IO. Lives on one thread; a value. Holds at most `keys` keys: beyond, and while all of them
// are recent, further keys share one place, so that inventing keys gains nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "storage/base/clock.hpp"

namespace naru {

class RateLimit {
 public:
  struct Verdict {
    bool pass = false;
    std::uint64_t swallowed = 0;  // Under this key since the last that passed.
  };

  explicit RateLimit(Duration interval, std::size_t keys = 256)
      : interval_(interval), keys_(keys) {}

  Verdict ask(std::string_view key, Instant now);
  std::uint64_t swallowed() const { return swallowed_; }

 private:
  struct Place {
    Instant next;
    std::uint64_t swallowed = 0;
  };
  Place& find_place(std::string_view key, Instant now);
  void forget_quiet(Instant now);

  Duration interval_;
  std::size_t keys_;
  std::uint64_t swallowed_ = 0;
  Instant next_tidy_{Duration::min()};
  Place crowd_{{Duration::min()}, 0};
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace naru

#include "storage/base/rate_limit.hpp"

namespace naru {

RateLimit::Verdict RateLimit::ask(std::string_view key, Instant now) {
  Place& place = find_place(key, now);
  if (now < place.next) {
    ++place.swallowed;
    ++swallowed_;
    return {};
  }
  const Verdict verdict{true, place.swallowed};
  place = {now + interval_, 0};
  return verdict;
}

RateLimit::Place& RateLimit::find_place(std::string_view key, Instant now) {
  const auto found = places_.find(key);
  if (found != places_.end()) return found->second;
  if (places_.size() >= keys_ && now >= next_tidy_) forget_quiet(now);
  if (places_.size() >= keys_) return crowd_;
  return places_.emplace(std::string{key}, Place{now, 0}).first->second;
}

// At most once an interval: the walk is as long as the table.
void RateLimit::forget_quiet(Instant now) {
  std::erase_if(places_, [&](const auto& entry) { return entry.second.next <= now; });
  next_tidy_ = now + interval_;
}

}  // namespace naru

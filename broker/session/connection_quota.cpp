#include "broker/session/connection_quota.hpp"

#include <algorithm>

namespace naru::broker {

namespace {

constexpr Seconds tidy_every{1};

}  // namespace

ConnectionQuota::Refusal ConnectionQuota::admit(Key key, BytesView address, Instant now) {
  if (low_memory_) return Denial::Kind::memory;
  if (limits_.connections >= 0 && open_ >= limits_.connections) return Denial::Kind::full;
  const Refusal refusal = take_place(key, address, now);
  if (refusal) return refusal;
  if (limits_.rate != 0) {
    if (!bucket_) bucket_.emplace(limits_.rate, now);
    bucket_->refill(limits_.rate, now);
    if (!bucket_->try_take()) {
      ++open_;
      gone(key);
      return Denial::Kind::connection_rate;
    }
  }
  ++open_;
  return {};
}

ConnectionQuota::Refusal ConnectionQuota::locate(Key key, BytesView address, Instant now) {
  return take_place(key, address, now);
}

ConnectionQuota::Refusal ConnectionQuota::take_place(Key key, BytesView address, Instant now) {
  if (address.empty() || !knows_addresses()) return {};
  forget_quiet(now);
  const std::uint32_t rate = std::max(1u, limits_.rate_of_address);
  Place& place = places_.try_emplace(Bytes{address}, Place{0, {rate, now}}).first->second;
  const std::uint32_t most = limits_.connections_of_address;
  if (most != 0 && place.open >= most) return Denial::Kind::address_full;
  if (limits_.rate_of_address != 0) {
    place.bucket.refill(rate, now);
    if (!place.bucket.try_take()) return Denial::Kind::address_rate;
  }
  ++place.open;
  addresses_[key] = Bytes{address};
  return {};
}

void ConnectionQuota::gone(Key key) {
  --open_;
  const auto address = addresses_.find(key);
  if (address == addresses_.end()) return;
  const auto place = places_.find(address->second);
  if (place != places_.end() && --place->second.open == 0 && limits_.rate_of_address == 0) {
    places_.erase(place);
  }
  addresses_.erase(address);
}

// An address without connections is kept only while its rate remembers something.
void ConnectionQuota::forget_quiet(Instant now) {
  if (now < next_tidy_) return;
  next_tidy_ = now + tidy_every;
  const std::uint32_t rate = std::max(1u, limits_.rate_of_address);
  erase_if(places_, [&](auto& entry) {
    entry.second.bucket.refill(rate, now);
    return entry.second.open == 0 && entry.second.bucket.is_full(rate);
  });
}

}  // namespace naru::broker

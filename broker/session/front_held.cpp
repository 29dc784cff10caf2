// Front's part that holds clients of 3.x whom the disk has no room for: MQTT has no word to tell
// them. What they published is not acknowledged, so they try again when they come back.

#include <algorithm>
#include <utility>

#include "broker/session/answers.hpp"
#include "broker/session/front.hpp"

namespace naru::broker {

namespace {

// A client that comes back to a disk that is still full is held again, which is its back-off.
constexpr Seconds held_for{60};
constexpr Seconds held_spread{15};  // Those held together do not all come back together.
constexpr Seconds back_within{2};   // Once there is room: it was late to be known.

Duration up_to(Duration most, Rng& rng) {
  return Duration{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(most.count())))};
}

}  // namespace

void Front::end_for_room(Connection& c) {
  if (c.version == mqtt::Version::v5) return end(c, ReasonCode::quota_exceeded, not_stored);
  if (c.state != Connection::State::live || c.is_held()) return;
  ++counters_.held_clients;
  c.held_until =
      now_ + (has_room_ ? up_to(back_within, rng_) : held_for + up_to(held_spread, rng_));
  watch(c);
}

void Front::set_room(bool enough) {
  const bool had_room = std::exchange(has_room_, enough);
  if (!enough || had_room) return;
  for (const auto& c : connections_) {
    if (!c->is_held()) continue;
    c->held_until = std::min(c->held_until, now_ + up_to(back_within, rng_));
    watch(*c);
  }
}

}  // namespace naru::broker

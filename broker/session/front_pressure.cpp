// Front's part that watches time, and holds back whom it does not read from.

#include <algorithm>
#include <utility>

#include "broker/session/front.hpp"

namespace naru::broker {

namespace {

Instant silent_until(const Connection& c) {
  return c.last_received + Millis{std::int64_t{c.keep_alive_s} * 1500};
}

}  // namespace

// It is made to wait, or ended, as the operator has it.
bool Front::waits_for_rate(Connection& c, const mqtt::Frame& frame) {
  if (c.state != Connection::State::live || c.peer.own_bridge) return false;
  throttle_.fit(c.rate, now_);
  if (!c.rate) return false;
  const Instant ready = throttle_.ready_at(*c.rate, frame, now_);
  if (ready <= now_) return false;
  if (settings_.limits.ends_fast_clients && !settings_.low_memory) {
    explain(c, Denial::Kind::client_rate, {}, why_of(Denial::Kind::client_rate));
    end(c, reason_of(Denial::Kind::client_rate), why_of(Denial::Kind::client_rate));
  } else {
    throttle_.wait(c.id, *c.rate, ready, now_);
    c.paused = true;
  }
  return true;
}

Instant Front::next_deadline() const {
  return std::min({deadlines_.next(), throttle_.next(), denials_.next()});
}

void Front::on_time(Instant now, StoreMillis store_now, WallMillis wall) {
  now_ = now;
  store_now_ = store_now;
  wall_ = wall;
  denials_.on_time(now);
  acked_commands_.clear();
  while (const auto id = throttle_.take_one_due(now)) {
    Connection* const c = find(*id);
    if (c == nullptr || !c->paused) continue;
    if (c->rate) c->rate->waiting = false;
    paused_.push_back(*id);
  }
  while (const auto id = deadlines_.take_one_due(now)) {
    Connection* const c = find(*id);
    if (c == nullptr) continue;
    if (c->state != Connection::State::live) {
      give_up(*c);
      continue;
    }
    // What is not read cannot be silence: the clock stands still while we do not read.
    if (c->paused || c->is_held()) c->last_received = now;
    if (c->rights_end_at() != 0 && wall_ >= c->rights_end_at()) {
      explain(*c, Denial::Kind::connect, {}, "its token has expired");
      end(*c, ReasonCode::not_authorized, "the token has expired");
    } else if (c->held_until <= now) {
      end(*c, ReasonCode::quota_exceeded);
    } else if (c->keep_alive_s != 0 && silent_until(*c) <= now) {
      explain(*c, Denial::Kind::silent, {}, why_of(Denial::Kind::silent));
      end(*c, ReasonCode::keep_alive_timeout);
    } else {
      watch(*c);
    }
  }
}

// Sets when to look at it again: for silence, and for the end of its rights. The latter is wall
// time, which may be set, so it is looked at now and then.
void Front::watch(const Connection& c) {
  constexpr Millis look_every{60'000};
  Instant due = c.keep_alive_s != 0 ? silent_until(c) : Instant::never();
  due = std::min(due, c.held_until);
  if (const WallMillis end = c.rights_end_at()) {
    const WallMillis left = end > wall_ ? end - wall_ : 0;
    due = std::min(due, now_ + std::min(look_every, Millis{static_cast<std::int64_t>(left)}));
  }
  deadlines_.set(c.id, due);
}

void Front::drained(ConnectionId id) {
  Connection* const c = find(id);
  if (c == nullptr) return;
  send_waiting(*c);
  if (!c->paused || !may_read(*c) || (c->rate && c->rate->waiting)) return;
  c->paused = false;
  output_.resumed.push_back(id);
}

void Front::resume_paused() {
  if (paused_.empty()) return;
  std::vector<ConnectionId> still;
  for (const ConnectionId id : std::exchange(paused_, {})) {
    Connection* const c = find(id);
    if (c == nullptr || !c->paused) continue;
    if (may_read(*c)) {
      c->paused = false;
      c->last_received = now_;
      output_.resumed.push_back(id);
    } else {
      still.push_back(id);
    }
  }
  paused_ = std::move(still);
}

}  // namespace naru::broker

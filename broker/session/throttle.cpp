#include "broker/session/throttle.hpp"

#include <algorithm>
#include <utility>

#include "broker/mqtt/decoder.hpp"

namespace naru::broker {

namespace {

// Of each client while memory is short: who sends little does not notice.
constexpr TokenBucket::Rate low_memory_rate = 64 * 1024;
constexpr Millis least_wait{10};  // A fast rate is many packets at a time, not a timer for each.
constexpr Millis longest_wait{1'000};  // Then it is looked at again: the rate may have changed.

bool is_publish(const mqtt::Frame& frame) {
  return mqtt::type_of(frame) == mqtt::PacketType::publish;
}

// The bucket's next moment, if the rate is limited and nothing is left.
Instant moment_of(TokenBucket& bucket, TokenBucket::Rate rate, Instant now) {
  if (rate == 0) return now;
  bucket.refill(rate, now);
  return bucket.has_any() ? now : bucket.ready_at(rate);
}

}  // namespace

TokenBucket::Rate Throttle::byte_rate() const {
  const TokenBucket::Rate set = settings_.limits.byte_rate;
  if (!settings_.low_memory) return set;
  return set == 0 ? low_memory_rate : std::min(set, low_memory_rate);
}

void Throttle::fit(std::unique_ptr<InputRate>& rate, Instant now) const {
  if (!settings_.limits.has_rate() && !settings_.low_memory) {
    rate.reset();
  } else if (!rate) {
    rate = std::make_unique<InputRate>(InputRate{{std::max(1u, settings_.limits.publish_rate), now},
                                                 {std::max(1u, byte_rate()), now}});
  }
}

Instant Throttle::ready_at(InputRate& rate, const mqtt::Frame& frame, Instant now) const {
  const Instant bytes = moment_of(rate.bytes, byte_rate(), now);
  if (!is_publish(frame)) return bytes;
  return std::max(bytes, moment_of(rate.publishes, settings_.limits.publish_rate, now));
}

void Throttle::wait(ConnectionId id, InputRate& rate, Instant ready, Instant now) {
  waiting_.set(id, std::clamp(ready, now + least_wait, now + longest_wait));
  if (std::exchange(rate.waiting, true)) return;
  ++rate.waits;
  ++counters_.throttled;
}

void Throttle::charge(InputRate& rate, const mqtt::Frame& frame) const {
  rate.bytes.take(frame.size);
  if (is_publish(frame)) rate.publishes.take(1);
}

}  // namespace naru::broker

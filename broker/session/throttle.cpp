#include "broker/session/throttle.hpp"

#include <algorithm>
#include <utility>

#include "broker/mqtt/decoder.hpp"

namespace naru::broker {

namespace {

constexpr Millis least_wait{10};  // A fast rate is many packets at a time, not a timer for each.

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

void Throttle::fit(std::unique_ptr<InputRate>& rate, Instant now) const {
  if (!settings_.limits.has_rate()) {
    rate.reset();
  } else if (!rate) {
    rate = std::make_unique<InputRate>(InputRate{{std::max(1u, settings_.limits.publish_rate), now},
                                                 {std::max(1u, settings_.limits.byte_rate), now}});
  }
}

Instant Throttle::ready_at(InputRate& rate, const mqtt::Frame& frame, Instant now) const {
  const Instant bytes = moment_of(rate.bytes, settings_.limits.byte_rate, now);
  if (!is_publish(frame)) return bytes;
  return std::max(bytes, moment_of(rate.publishes, settings_.limits.publish_rate, now));
}

void Throttle::wait(ConnectionId id, InputRate& rate, Instant ready, Instant now) {
  waiting_.set(id, std::max(ready, now + least_wait));
  if (std::exchange(rate.waiting, true)) return;
  ++rate.waits;
  ++counters_.throttled;
}

void Throttle::charge(InputRate& rate, const mqtt::Frame& frame) const {
  rate.bytes.take(frame.size);
  if (is_publish(frame)) rate.publishes.take(1);
}

}  // namespace naru::broker

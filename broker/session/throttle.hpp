// broker/session/throttle.hpp
//
// Throttle keeps clients to the rates they may publish and send at, and all of them to a low one
// while memory is short: whoever is too fast is not read
// from until its bucket has something again, so that TCP tells it to wait.
//
// Sans-IO. Lives on one shard; not thread-safe. Owned by Front; settings and counters must outlive
// it, and it keeps no connection, only ids.
// Bounded by: one InputRate for each connection while a limit is set, none otherwise; a deadline
// for each connection that waits.
#pragma once

#include <memory>

#include "broker/mqtt/fixed_header.hpp"
#include "broker/session/shard_output.hpp"
#include "broker/session/shard_settings.hpp"
#include "storage/base/deadlines.hpp"
#include "storage/base/token_bucket.hpp"

namespace naru::broker {

// What is known of one client's speed.
struct InputRate {
  TokenBucket publishes;
  TokenBucket bytes;
  std::uint64_t waits = 0;  // How often it was not read from.
  bool waiting = false;
};

class Throttle {
 public:
  Throttle(const ShardSettings& settings, ShardCounters& counters)
      : settings_(settings), counters_(counters) {}

  // Makes or takes away what the settings ask for.
  void fit(std::unique_ptr<InputRate>& rate, Instant now) const;
  // When the packet may be taken; now at the earliest.
  Instant ready_at(InputRate& rate, const mqtt::Frame& frame, Instant now) const;
  // It is not taken before; take_one_due() tells of it then.
  void wait(ConnectionId id, InputRate& rate, Instant ready, Instant now);
  // The packet was taken.
  void charge(InputRate& rate, const mqtt::Frame& frame) const;

  Instant next() const { return waiting_.next(); }
  std::optional<ConnectionId> take_one_due(Instant now) { return waiting_.take_one_due(now); }

 private:
  TokenBucket::Rate byte_rate() const;

  const ShardSettings& settings_;
  ShardCounters& counters_;
  Deadlines<ConnectionId> waiting_;
};

}  // namespace naru::broker

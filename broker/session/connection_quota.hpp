// broker/session/connection_quota.hpp
//
// ConnectionQuota decides which new connections come in: how many in all, how many from one
// address, and how many a second of either.
//
// Sans-IO. Lives behind its owner's lock (broker/app/connection_door.hpp); not thread-safe itself.
// Owned by: ConnectionDoor.
// Bounded by: one place for each address that has connections or had one in the last second or
// two; without a limit for addresses nothing is kept.
#pragma once

#include <cstdint>
#include <optional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/session/shard_output.hpp"
#include "storage/base/token_bucket.hpp"

namespace naru::broker {

struct ConnectionLimits {
  std::int64_t connections = -1;             // In all; -1: no limit.
  std::uint32_t connections_of_address = 0;  // 0: no limit, as with the next two.
  std::uint32_t rate = 0;                    // New ones a second.
  std::uint32_t rate_of_address = 0;
};

class ConnectionQuota {
 public:
  using Key = std::int64_t;                     // Of an open connection.
  using Refusal = std::optional<Denial::Kind>;  // Nothing: it comes in.

  void set_limits(const ConnectionLimits& limits) { limits_ = limits; }
  void set_low_memory(bool is_low) { low_memory_ = is_low; }  // Then nobody comes in.

  // address: where it comes from; empty: not known yet, or of no meaning.
  Refusal admit(Key key, BytesView address, Instant now);
  // The address of one that was admitted without. A refusal leaves it counted until gone().
  Refusal locate(Key key, BytesView address, Instant now);
  void enter() { ++open_; }  // One of ours, past every limit.
  void gone(Key key);        // REQUIRES: it was admitted.
  std::int64_t open() const { return open_; }

 private:
  struct Place {
    std::uint32_t open = 0;
    TokenBucket bucket;
  };
  bool knows_addresses() const { return limits_.connections_of_address + limits_.rate_of_address; }
  Refusal take_place(Key key, BytesView address, Instant now);
  void forget_quiet(Instant now);

  ConnectionLimits limits_;
  std::int64_t open_ = 0;
  bool low_memory_ = false;
  std::optional<TokenBucket> bucket_;
  boost::unordered_flat_map<Bytes, Place> places_;
  boost::unordered_flat_map<Key, Bytes> addresses_;
  Instant next_tidy_;
};

}  // namespace naru::broker

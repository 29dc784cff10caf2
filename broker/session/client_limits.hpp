// broker/session/client_limits.hpp
//
// ClientLimits are how much one client may ask of its front, as the operator has it.
//
// Sans-IO values, part of ShardSettings; a reload exchanges them. Bounds and defaults:
// broker/app/limit_options.cpp.
#pragma once

#include "storage/base/clock.hpp"
#include "storage/base/limits.hpp"
#include "storage/base/token_bucket.hpp"

namespace naru::broker {

struct ClientLimits {
  Duration connect_timeout{10'000'000};  // From its first moment to CONNACK.
  std::size_t subscriptions = limits::filters_per_session;
  std::size_t filter_levels = limits::filter_levels;
  TokenBucket::Rate publish_rate = 0;  // A second; 0: no limit, as with the next.
  TokenBucket::Rate byte_rate = 0;
  bool ends_fast_clients = false;  // Instead of making them wait.

  bool has_rate() const { return publish_rate != 0 || byte_rate != 0; }
};

}  // namespace naru::broker

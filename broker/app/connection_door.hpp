// broker/app/connection_door.hpp
//
// ConnectionDoor counts the connections of all shards and turns away those beyond a limit
// (broker/session/connection_quota.hpp decides); failed handshakes are logged here.
//
// Edge: one lock, held for a look into two tables as a connection comes and goes. Any thread.
// Owned by Node; the listeners must outlive their connections.
// Bounded by: ConnectionQuota's tables, and FailureLimit's places.
#pragma once

#include <mutex>

#include "broker/app/failure_limit.hpp"
#include "broker/app/limit_config.hpp"
#include "broker/net/listener.hpp"
#include "broker/session/connection_quota.hpp"

namespace naru::broker {

struct ChannelFailure;

class ConnectionDoor {
 public:
  explicit ConnectionDoor(const LimitConfig& limits) { set_limits(limits); }
  void set_limits(const LimitConfig& limits);
  void set_low_memory(bool is_low);

  // What ShardHost promises.
  ConnectionQuota::Refusal admit(int fd, Listener& listener, BytesView address, Instant now);
  ConnectionQuota::Refusal locate(int fd, BytesView address, Instant now);
  void enter(Listener& listener);  // One of our own bridges: nothing keeps it out.
  void gone(int fd, Listener& listener);
  std::int64_t open() const;

  void log_failure(const ChannelFailure& failure, Instant now);

 private:
  mutable std::mutex mutex_;
  ConnectionQuota quota_;
  FailureLimit failures_;
};

// What limits hold for: an address of IPv4, the /64 of an address of IPv6, without the port; empty
// for what has no address.
Bytes source_of(BytesView address);

}  // namespace naru::broker

// broker/net/listener.hpp
//
// Listener is what the connections of one `listener` section have in common, on every shard.
//
// Edge. Set up before the shards accept, then read by all of them; the count is atomic.
// Owned by the composition root; must outlive the shards.
// Bounded by: max_connections; further ones are closed at once.
#pragma once

#include <atomic>
#include <cstdint>

namespace naru::broker {

struct Listener {
  std::uint16_t number = 0;           // Its place in the configuration.
  std::int64_t max_connections = -1;  // -1: no limit.

  bool admit() {
    if (++connections_ <= max_connections || max_connections < 0) return true;
    --connections_;
    return false;
  }
  void connection_gone() { --connections_; }

 private:
  std::atomic<std::int64_t> connections_{0};
};

}  // namespace naru::broker

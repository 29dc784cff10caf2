// broker/net/listener.hpp
//
// Listener is what the connections of one `listener` section have in common, on every shard.
//
// Edge. Set up before the shards accept, then read by all of them; the count is atomic, and a lock
// is held for the copy of a pointer: a reload exchanges the TLS context, which what is under way
// keeps for its life.
// Owned by the composition root; must outlive the shards.
// Bounded by: max_connections; further ones are turned away.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "broker/mqtt/types.hpp"

namespace naru::broker {

class TlsContext;

// Where the name of a user comes from.
enum class IdentityFrom : std::uint8_t {
  connect,      // CONNECT, with its password.
  common_name,  // Of the client's certificate, which is proof enough.
  subject,
};

struct Listener {
  std::uint16_t number = 0;  // Its place in the configuration.
  IdentityFrom identity_from = IdentityFrom::connect;
  unsigned proxy_version = 0;  // Of the PROXY header before everything else; 0: there is none.
  bool websockets = false;
  std::vector<std::string> websocket_origins;  // Of pages that may connect; empty: any.
  std::int64_t max_connections = -1;           // -1: no limit.
  mqtt::Qos max_qos = mqtt::Qos::exactly_once;

  // Something stands between the socket and MQTT (broker/net/channel.hpp).
  bool has_layers() const { return proxy_version != 0 || tls() || websockets; }
  std::shared_ptr<const TlsContext> tls() const {  // Null: no TLS.
    const std::lock_guard lock{tls_mutex_};
    return tls_;
  }
  void set_tls(std::shared_ptr<const TlsContext> tls) {
    const std::lock_guard lock{tls_mutex_};
    tls_ = std::move(tls);
  }
  bool admit() {
    if (++connections_ <= max_connections || max_connections < 0) return true;
    --connections_;
    return false;
  }
  void connection_gone() { --connections_; }

 private:
  std::atomic<std::int64_t> connections_{0};
  mutable std::mutex tls_mutex_;
  std::shared_ptr<const TlsContext> tls_;
};

}  // namespace naru::broker

// broker/app/listeners.hpp
//
// Opens the listening sockets of a configuration, one for each shard, so that the kernel spreads
// connections. A Unix socket has one for all of them.
//
// Edge. Called at start by one thread. The caller owns the descriptors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/app/config.hpp"
#include "broker/app/config_file.hpp"
#include "broker/net/listener.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

struct OpenListener {
  std::string address;     // Or the path of a Unix socket.
  std::uint16_t port = 0;  // The real one, also where the kernel chose it; 0: a Unix socket.
  std::shared_ptr<Listener> listener;  // One for all addresses of a section.
  std::vector<int> sockets;            // One for each shard.

  void remove_path() const;  // Of a Unix socket.
};

// Of each listener in its order; null: the listener has no certificate.
using TlsContexts = std::vector<std::shared_ptr<const TlsContext>>;

// Reads the certificates, keys and lists of all listeners. What is wrong with them comes back, one
// line each; then `made` has gaps.
std::vector<std::string> make_tls_contexts(const Config& config, TlsContexts& made);

// What of them does not hold, soon will not, or is missing. Nobody is refused a start for it.
std::vector<Problem> tls_notices(const Config& config, const TlsContexts& made, WallMillis now);
// For `naru status`: what of open listeners does not hold now.
std::vector<std::string> tls_problems(const Config& config,
                                      const std::vector<OpenListener>& listeners, WallMillis now);

// An address the machine lacks is skipped where the configuration calls it optional.
Result<std::vector<OpenListener>> open_listeners(const Config& config, std::uint16_t shards);

// Lines of ADDRESS, a tab, and PORT, written whole or not at all.
Result<void> write_port_file(const std::string& path, const std::vector<OpenListener>& listeners);

}  // namespace naru::broker

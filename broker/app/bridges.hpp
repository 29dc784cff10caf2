// broker/app/bridges.hpp
//
// Bridges are all connections to other brokers of one node, on one thread of their own.
//
// Edge. start() and stop() by the node's thread, facts() on any.
// Owned by: Node. The host must outlive it.
// Bounded by: the configuration; start() and stop() by limits of their own.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "broker/app/config.hpp"
#include "broker/net/bridge_link.hpp"

namespace naru::broker {

// What is wrong with the certificates of bridges, one line each.
std::vector<std::string> faults_of_bridge_files(const Config& config);
// The client ids here of all bridges: nobody else may have them.
std::vector<Bytes> bridge_clients(const Config& config);

class Bridges {
 public:
  explicit Bridges(BridgeHost& host) : host_(host) {}
  ~Bridges() { stop(); }
  Bridges(const Bridges&) = delete;
  Bridges& operator=(const Bridges&) = delete;

  // When it returns the session of every bridge is there: nothing published later misses it.
  Result<void> start(const Config& config, std::uint64_t node);
  void stop();
  std::vector<BridgeFacts> facts() const;

 private:
  void wait_until(bool (BridgeLink::*condition)() const, Duration limit);

  BridgeHost& host_;
  boost::asio::io_context context_{1};
  std::vector<std::unique_ptr<BridgeLink>> links_;
  std::thread thread_;
};

}  // namespace naru::broker

// test/system/kill_loop_network.hpp
//
// ClientNetwork connects model clients to a broker by TCP on the loopback: it moves bytes, tells
// them the time and that a connection ended. What they do with it is their business.
//
// Edge: sockets and epoll, level triggered. Lives on one thread.
// Owned by:   the kill loop; owns the clients. Borrows the History, which must outlive it.
// Bounded by: one socket a client; output waits in memory while the broker does not read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "storage/base/clock.hpp"
#include "test/support/history.hpp"
#include "test/support/model_client.hpp"

namespace naru::test {

class ClientNetwork {
 public:
  explicit ClientNetwork(History& history);
  ~ClientNetwork();
  ClientNetwork(const ClientNetwork&) = delete;
  ClientNetwork& operator=(const ClientNetwork&) = delete;

  void set_port(std::uint16_t port) { port_ = port; }
  // The number in the options is filled in; it is the index in clients() plus one.
  std::size_t add(ModelOptions options);
  ModelClient& client(std::size_t index) { return peers_[index]->client; }
  std::size_t size() const { return peers_.size(); }

  void open(std::size_t index);
  void vanish(std::size_t index);
  // Waits at most this long for something to happen, and lets it happen.
  void step(Millis longest);
  // The broker is dead: reads what it had still sent, then closes everything.
  void on_broker_dead();
  Instant now() const { return clock_.now(); }

 private:
  struct Peer {
    explicit Peer(ModelOptions options, History& history) : client(std::move(options), history) {}
    ModelClient client;
    int fd = -1;
    Bytes unsent;
    bool waits_for_room = false;
  };
  enum class Fate : std::uint8_t { open, ended, broken };

  void watch(std::size_t index, int operation, bool for_room);
  Fate read_all(Peer& peer);
  Fate write_all(std::size_t index);
  void close(std::size_t index, ModelClient::ClosedBy by);
  void serve(std::size_t index, bool readable);

  History& history_;
  SystemClock clock_;
  std::vector<std::unique_ptr<Peer>> peers_;
  int epoll_;
  std::uint16_t port_ = 0;
};

}  // namespace naru::test

// broker/net/handshake_queue.hpp
//
// HandshakeQueue holds the connections whose TLS handshake can go on, first come, first served. A
// step of a handshake costs a millisecond where a message costs microseconds: so a shard takes only
// some of them in a turn, and whoever is connected does not wait for a thousand that come at once.
//
// Edge data. Lives on one shard; owned by it.
// Bounded by: limits::waiting_handshakes. A full queue means that nobody is accepted who would
// begin one: whoever comes waits in the kernel's queue. Silence is never in it, so it blocks
// nobody.
#pragma once

#include <deque>
#include <memory>

#include "broker/net/socket.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

class HandshakeQueue {
 public:
  // What a shard gives to handshakes in a turn, and one step at least.
  static constexpr Millis time_a_turn{2};

  void put(std::shared_ptr<Socket> socket) { waiting_.push_back(std::move(socket)); }
  bool empty() const { return waiting_.empty(); }
  bool is_full() const { return waiting_.size() >= limits::waiting_handshakes; }
  // REQUIRES: !empty().
  std::shared_ptr<Socket> take() {
    std::shared_ptr<Socket> socket = std::move(waiting_.front());
    waiting_.pop_front();
    return socket;
  }

 private:
  std::deque<std::shared_ptr<Socket>> waiting_;
};

}  // namespace naru::broker

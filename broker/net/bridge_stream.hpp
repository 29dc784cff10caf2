// broker/net/bridge_stream.hpp
//
// BridgeStream is one connection of a bridge: a socket to the remote broker, perhaps with TLS, or
// our end of a pair of sockets whose other end a shard serves like any client's.
//
// Edge: one recv and one send for each time the socket is ready.
// Lives on:   the thread of the bridges.
// Owned by:   BridgeLink and by the handlers that wait for it.
// Bounded by: it reads only when it is told to; what it has to send is its owner's to bound.
#pragma once

#include <memory>
#include <optional>

#include <boost/asio/steady_timer.hpp>

#include "broker/net/socket.hpp"
#include "broker/net/tls_stream.hpp"

namespace naru::broker {

// Hears from a stream until it lets go of it.
class BridgeStreamOwner {
 public:
  virtual ~BridgeStreamOwner() = default;
  virtual void on_stream_open() = 0;              // TLS is established, where there is any.
  virtual void on_stream_bytes() = 0;             // There is more in received().
  virtual void on_stream_end(BytesView why) = 0;  // Nothing comes behind it.
};

class BridgeStream : public std::enable_shared_from_this<BridgeStream> {
 public:
  // Takes fd over.
  BridgeStream(boost::asio::io_context& context, int fd)
      : descriptor_(context, fd), timer_(context) {}

  // on_stream_open() follows; never before this has returned.
  void start(BridgeStreamOwner& owner, std::shared_ptr<const TlsContext> tls,
             const TlsStream::Called& called);
  // Its owner is gone. What is left of `words` is sent, for a short while, then it closes.
  void finish(const Bytes& words);

  void send(Bytes& output);  // Takes all of it, as soon as it is open.
  bool is_sent() const { return unsent_.empty(); }
  Bytes& received() { return received_; }
  // Reads as long as this was the last word.
  void want_input(bool wanted);

 private:
  void wait_readable();
  void wait_writable();
  void read();
  void write();
  void look_at_tls();
  void end(BytesView why);

  Descriptor descriptor_;
  boost::asio::steady_timer timer_;  // For the last words.
  BridgeStreamOwner* owner_ = nullptr;
  std::optional<TlsStream> tls_;
  bool open_ = false, wants_input_ = true;
  bool reading_ = false, writing_ = false;
  Bytes received_;  // What the owner has not taken.
  Bytes unsent_;
  Bytes room_;
};

}  // namespace naru::broker

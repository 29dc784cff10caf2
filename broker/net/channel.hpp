// broker/net/channel.hpp
//
// Channel is what stands between a socket and MQTT where that is not nothing: the PROXY header, TLS
// and WebSocket, any of them, in this order. A socket without such layers has no Channel.
//
// Edge (OpenSSL), but touches no socket: bytes in, bytes out, `unsent` for the wire.
// Lives on:   one shard; handed to another together with the socket, between calls.
// Owned by:   Socket.
// Bounded by: the limits of each layer; `unsent`: beyond 64 KiB nothing is read.
//
//   opening --(all handshakes are done)--> open --(either side, or a fault)--> over
#pragma once

#include <memory>
#include <optional>

#include "broker/net/listener.hpp"
#include "broker/net/tls_stream.hpp"
#include "broker/session/shard_output.hpp"
#include "broker/transport/packet_frames.hpp"
#include "broker/transport/websocket_frames.hpp"
#include "broker/transport/websocket_upgrade.hpp"
#include "storage/base/bytes.hpp"

namespace naru::broker {

// Where a shard's channels work, one at a time.
struct ChannelBuffers {
  Bytes header, decrypted, request, data, frames;
};

class Channel {
 public:
  // Null where the listener has no layers.
  static std::unique_ptr<Channel> of(const Listener& listener);
  explicit Channel(const Listener& listener);

  // What came from the socket. Returns MQTT's bytes, valid until the next call with the same
  // buffers.
  BytesView receive(BytesView wire, ChannelBuffers& buffers);
  // MQTT's bytes, to `unsent`. Returns how many it took: perhaps all but the start of the last
  // packet. REQUIRES: is_open().
  std::size_t send(BytesView output, ChannelBuffers& buffers);
  // The last words, to `unsent`.
  void say_goodbye();

  bool shakes_hands() const { return tls_ && tls_->state() == TlsStream::State::handshake; }
  bool has_opened() const { return opened_; }  // And may be over again.
  bool is_open() const { return opened_ && !over_; }
  bool is_over() const { return over_; }
  // Why it is over; empty: the peer ended it.
  const Bytes& failure() const { return failure_; }
  // The certificate of a client that it failed for; null: it did not.
  const PeerCertificate* refused() const {
    return tls_ && tls_->refused() ? &tls_->refused() : nullptr;
  }
  bool wants_input() const { return !over_ && unsent.size() <= unsent_most; }
  // Where the PROXY header says the client is; empty: nowhere else than it seems.
  const Bytes& address() const { return address_; }
  // Who the client proved to be, once it has opened.
  PeerNames names(IdentityFrom from) const;
  bool is_revoked_by(const TlsContext& later) const { return tls_ && tls_->is_revoked_by(later); }

  Bytes unsent;

 private:
  static constexpr std::size_t unsent_most = 64 * 1024;

  struct Websocket {
    const std::vector<Bytes>& origins;
    Bytes request;  // Until it is whole.
    bool upgraded = false;
    transport::WebsocketDecoder decoder;
    transport::PacketFrames frames;
  };

  BytesView skip_header(BytesView wire, ChannelBuffers& buffers);
  void look_at_tls();
  BytesView unframe(BytesView plain, ChannelBuffers& buffers);
  BytesView upgrade(BytesView plain, ChannelBuffers& buffers);
  void seal(BytesView plain);
  void end(BytesView why);

  bool opened_ = false, over_ = false;
  unsigned proxy_version_;  // Of a header that is still to come; 0: none.
  Bytes header_;            // What has come of it.
  Bytes address_;
  std::optional<TlsStream> tls_;
  std::optional<Websocket> websocket_;
  Bytes failure_;
};

}  // namespace naru::broker

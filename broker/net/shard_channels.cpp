// Shard's part for sockets with layers between them and MQTT. A socket without them never gets
// here.

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "broker/net/shard.hpp"

namespace naru::broker {

namespace {

constexpr std::size_t wrapped_a_turn = 256 * 1024;
constexpr std::size_t keep_capacity = 2'048;

bool is_passing(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

void Shard::go_on_with_handshakes() {
  const Instant limit = host_.now() + HandshakeQueue::time_a_turn;
  do {
    const SocketRef socket = handshakes_.take();
    socket->reading = false;
    if (socket->parting) {
      discard(socket);
    } else if (!socket->closing) {
      receive(socket);
    }
  } while (!handshakes_.empty() && host_.now() < limit);
  if (handshakes_.is_full()) return;
  for (const auto& acceptor : acceptors_) {
    if (acceptor->paused) accept(*acceptor);
  }
}

void Shard::unwrap(const SocketRef& socket, BytesView wire) {
  Channel& channel = *socket->channel;
  const bool was_open = channel.has_opened();
  const BytesView plain = channel.receive(wire, channel_buffers_);
  if (!was_open && channel.has_opened()) introduce(*socket);
  if (!plain.empty()) feed(socket, plain);
  // Together with what the core has to say, at the end of the turn.
  if (!channel.unsent.empty()) core_.output().dirty.push_back(socket->id);
  end_if_over(socket);
}

// The layers are through: now it is known who speaks.
void Shard::introduce(Socket& socket) {
  const Connection* const connection = std::as_const(core_.front()).find(socket.id);
  if (connection == nullptr) return;
  Peer peer = connection->peer;
  if (!socket.channel->address().empty()) {
    peer.address = socket.channel->address();
    const auto refusal = host_.locate_connection(socket.descriptor.native_handle(), peer.address);
    if (refusal) {
      core_.front().denials().turn_away(*refusal, peer.address, host_.now());
      peer.refusal = reason_of(*refusal);
    }
  }
  PeerNames names = socket.channel->names(socket.listener.identity_from);
  if (names.certificate) {
    peer.names = std::make_shared<const PeerNames>(std::move(names));
  }
  core_.front().introduce(socket.id, std::move(peer));
  end_if_revoked(socket);
}

void Shard::end_revoked() {
  for (const SocketRef& socket : sockets_) end_if_revoked(*socket);
}

// For certificates that were revoked after their handshake, or during it.
void Shard::end_if_revoked(const Socket& socket) {
  if (!socket.channel) return;
  const auto now = socket.listener.tls();
  if (!now || !socket.channel->is_revoked_by(*now)) return;
  core_.front().withdraw(socket.id, "its certificate is revoked");
}

// The peer ended the outermost layer, or broke its rules: MQTT hears that the connection is gone,
// once it has read what came before.
void Shard::end_if_over(const SocketRef& socket) {
  if (!socket->channel || !socket->channel->is_over() || socket->closing) return;
  const Connection* const connection = std::as_const(core_.front()).find(socket->id);
  if (connection == nullptr) return;  // Handed over.
  // Not yet read. What is left although nothing holds it back is a packet cut for good.
  if (connection->paused && socket->unread) return;
  if (!connection->takes_input()) return;
  if (!socket->channel->failure().empty()) report(*socket, socket->channel->failure());
  forget(socket);
  linger(socket);
  send_unsent(socket);
  if (socket->channel->unsent.empty()) part(socket);
}

void Shard::report(const Socket& socket, BytesView why) {
  const bool was_open = socket.channel->has_opened();
  core_.count_failed_channel(was_open);
  const Connection* const connection = std::as_const(core_.front()).find(socket.id);
  if (connection == nullptr) return;
  const Bytes& proxied = socket.channel->address();
  const BytesView address = proxied.empty() ? connection->peer.address : proxied;
  host_.channel_failed(
      {address.substr(0, address.rfind(':')), why, was_open, socket.channel->refused()});
}

void Shard::send_wrapped(const SocketRef& socket) {
  Channel& channel = *socket->channel;
  Bytes* const output = core_.front().output(socket->id);
  if (output != nullptr && !output->empty() && channel.is_open()) {
    const std::size_t size =
        channel.send(BytesView{*output}.substr(0, wrapped_a_turn), channel_buffers_);
    if (size < output->size()) {
      output->erase(0, size);
    } else if (output->capacity() > keep_capacity) {
      Bytes{}.swap(*output);
    } else {
      output->clear();
    }
  }
  if (channel.unsent.empty()) return;
  send_unsent(socket);
  if (!socket->descriptor.is_open() || socket->writing) return;
  if (output != nullptr && !output->empty() && channel.is_open()) return wait_writable(socket);
  core_.front().drained(socket->id);
  if (wants_input(*socket)) wait_readable(socket);  // It was full.
}

// Leaves a wait for room behind where the wire does not take all of it.
void Shard::send_unsent(const SocketRef& socket) {
  Bytes& unsent = socket->channel->unsent;
  if (unsent.empty() || socket->writing) return;
  const ssize_t n = ::send(socket->descriptor.native_handle(), unsent.data(), unsent.size(),
                           MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && !is_passing(errno)) return drop(socket);
  if (n == static_cast<ssize_t>(unsent.size())) {
    Bytes{}.swap(unsent);
    return;
  }
  if (n > 0) unsent.erase(0, static_cast<std::size_t>(n));
  wait_writable(socket);
}

void Shard::say_goodbye(Socket& socket) {
  Channel& channel = *socket.channel;
  channel.say_goodbye();
  ::send(socket.descriptor.native_handle(), channel.unsent.data(), channel.unsent.size(),
         MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace naru::broker

// Shard's part that works with sockets: accepting, reading, sending and the end of a connection.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "broker/net/shard.hpp"

namespace naru::broker {

using boost::system::error_code;

namespace {

constexpr std::size_t accepts_a_turn = 64;
constexpr Duration linger_limit{5'000'000};   // For the last bytes to a client that does not read.
constexpr Duration parting_limit{2'000'000};  // For a client to hear that we have closed.
constexpr Duration parting_limit_at_stop{300'000};
constexpr std::size_t keep_capacity = 2'048;  // Of an empty output; more is given back.
constexpr std::size_t turned_away_most = 64;  // At a time; further ones are closed without a word.

Bytes address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "unknown";
  if (storage.ss_family == AF_UNIX) return "unix";
  char text[INET6_ADDRSTRLEN] = {};
  std::uint16_t port = 0;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    port = ntohs(v6.sin6_port);
  }
  return Bytes{text} + ':' + std::to_string(port);
}

}  // namespace

void Shard::listen(int fd, Listener& listener) {
  accept(*acceptors_.emplace_back(std::make_unique<Acceptor>(context_, fd, listener)));
}

void Shard::accept(Acceptor& acceptor) {
  acceptor.paused = handshakes_.is_full() && acceptor.listener.tls();
  if (acceptor.paused) return;
  acceptor.descriptor.async_wait(Descriptor::wait_read, [this, &acceptor](const error_code& error) {
    if (error || stopping_) return;
    accept_ready(acceptor);
    accept(acceptor);
  });
}

void Shard::accept_ready(Acceptor& acceptor) {
  for (std::size_t i = 0; i < accepts_a_turn; ++i) {
    const int fd = ::accept4(acceptor.descriptor.native_handle(), nullptr, nullptr,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    admit(fd, acceptor.listener);
  }
}

// Whom a limit keeps out is told so, if that costs no handshake.
void Shard::admit(int fd, Listener& listener) {
  Peer peer{address_of(fd), listener.number, listener.identity_from != IdentityFrom::connect};
  peer.max_qos = listener.max_qos;
  const auto refusal = host_.admit_connection(fd, listener, peer.address);
  if (refusal) {
    open_turn();
    core_.front().denials().turn_away(*refusal, peer.address, host_.now());
    if (listener.has_layers() || turned_away_ >= turned_away_most) {
      ::close(fd);
      return;
    }
    peer.refusal = reason_of(*refusal);
  }
  const int on = 1;  // Of no meaning to a Unix socket, and no harm.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  adopt({fd, &listener, std::move(peer), Channel::of(listener), {}});
}

void Shard::adopt(Handed handed) {
  open_turn();
  auto socket = std::make_shared<Socket>(context_, handed.fd, *handed.listener);
  socket->id = std::uint64_t{core_.settings().shard} << 48 | ++connections_;
  sockets_.insert(socket);
  socket->turned_away = handed.peer.refusal != mqtt::ReasonCode::success;
  turned_away_ += socket->turned_away;
  core_.front().opened(socket->id, std::move(handed.peer));
  socket->channel = std::move(handed.channel);
  end_if_revoked(*socket);  // It may have been on its way while a reload went by.
  if (!handed.unread.empty()) feed(socket, handed.unread);
  if (socket->channel && !socket->channel->unsent.empty()) {
    core_.output().dirty.push_back(socket->id);
  }
  end_if_over(socket);
  if (wants_input(*socket)) wait_readable(socket);
}

void Shard::wait_readable(const SocketRef& socket) {
  if (socket->reading || (socket->closing && !socket->parting)) return;
  socket->reading = true;
  socket->descriptor.async_wait(Descriptor::wait_read, [this, socket](const error_code& error) {
    socket->reading = false;
    if (error) return;
    if (socket->parting) return discard(socket);
    if (!socket->closing) read(socket);
  });
}

void Shard::read(const SocketRef& socket) {
  open_turn();
  if (!socket->channel || !socket->channel->shakes_hands()) return receive(socket);
  socket->reading = true;  // It is the queue that waits now.
  handshakes_.put(socket);
}

void Shard::receive(const SocketRef& socket) {
  const ssize_t n = ::recv(socket->descriptor.native_handle(), buffer_.data(), buffer_.size(), 0);
  if (n > 0) {
    const BytesView wire{buffer_.data(), static_cast<std::size_t>(n)};
    socket->channel ? unwrap(socket, wire) : feed(socket, wire);
  } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    return drop(socket);
  }
  if (wants_input(*socket)) wait_readable(socket);
}

// Gives the core what came, behind what it has left; keeps what it leaves.
void Shard::feed(const SocketRef& socket, BytesView fresh) {
  std::unique_ptr<Bytes> left = std::exchange(socket->unread, nullptr);
  if (left) fresh = left->append(fresh);
  const std::size_t taken = core_.front().receive(socket->id, fresh);
  if (taken == fresh.size()) return;
  if (left) {
    left->erase(0, taken);
  } else {
    left = std::make_unique<Bytes>(fresh.substr(taken));
  }
  socket->unread = std::move(left);
}

bool Shard::wants_input(const Socket& socket) {
  if (socket.closing || (socket.channel && !socket.channel->wants_input())) return false;
  const Connection* const connection = std::as_const(core_.front()).find(socket.id);
  return connection != nullptr && !connection->paused && connection->takes_input();
}

void Shard::send_all() {
  for (const ConnectionId id : std::exchange(core_.output().dirty, {})) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) continue;
    const SocketRef socket = *found;  // A send that fails takes it out of the map.
    send(socket);
  }
}

void Shard::send(const SocketRef& socket) {
  core_.front().sending(socket->id);
  if (socket->writing) return;
  if (socket->channel) return send_wrapped(socket);
  Bytes* const output = core_.front().output(socket->id);
  if (output == nullptr || output->empty()) return;
  const ssize_t n = ::send(socket->descriptor.native_handle(), output->data(), output->size(),
                           MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return drop(socket);
  if (n == static_cast<ssize_t>(output->size())) {
    if (output->capacity() > keep_capacity) {
      Bytes{}.swap(*output);
    } else {
      output->clear();
    }
    return core_.front().drained(socket->id);
  }
  if (n > 0) output->erase(0, static_cast<std::size_t>(n));
  wait_writable(socket);
}

void Shard::wait_writable(const SocketRef& socket) {
  socket->writing = true;
  socket->descriptor.async_wait(Descriptor::wait_write, [this, socket](const error_code& error) {
    socket->writing = false;
    if (error) return;
    open_turn();
    send(socket);
    if (socket->closing && is_sent(*socket)) part(socket);
  });
}

bool Shard::is_sent(const Socket& socket) {
  const Bytes* const output = core_.front().output(socket.id);
  const bool is_over = socket.channel && socket.channel->is_over();  // Nobody hears the rest.
  return (output == nullptr || output->empty() || is_over) &&
         (!socket.channel || socket.channel->unsent.empty());
}

void Shard::close_all() {
  for (const ConnectionId id : std::exchange(core_.output().closing, {})) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) continue;
    const SocketRef socket = *found;
    if (socket->channel && !socket->channel->has_opened() && !stopping_) {
      report(*socket, "it took too long");
    }
    linger(socket);
    if (is_sent(*socket)) part(socket);
  }
}

void Shard::linger(const SocketRef& socket) {
  socket->closing = true;
  socket->closing_since = host_.now();
  lingering_.push_back(socket);
}

// Everything is said. Closing now would answer a client that is still sending with a reset, which
// may overtake our last words: so it hears the end first, and what it sends goes nowhere.
void Shard::part(const SocketRef& socket) {
  if (!socket->descriptor.is_open() || socket->parting) return;
  open_turn();
  socket->parting = true;
  socket->closing_since = host_.now();
  if (socket->channel) say_goodbye(*socket);
  ::shutdown(socket->descriptor.native_handle(), SHUT_WR);
  forget(socket);
  discard(socket);
}

void Shard::discard(const SocketRef& socket) {
  const ssize_t n = ::recv(socket->descriptor.native_handle(), buffer_.data(), buffer_.size(), 0);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    return drop(socket);
  }
  wait_readable(socket);
}

// The core has nothing more to do with it.
void Shard::forget(const SocketRef& socket) {
  socket->closing = true;
  if (sockets_.erase(socket->id) != 0) core_.front().closed(socket->id);
}

void Shard::drop(const SocketRef& socket) {
  if (!socket->descriptor.is_open()) return;
  open_turn();
  forget(socket);
  if (socket->turned_away) {
    --turned_away_;
  } else {
    host_.connection_gone(socket->descriptor.native_handle(), socket->listener);
  }
  error_code ignored;
  socket->descriptor.close(ignored);
}

void Shard::resume_all() {
  for (const ConnectionId id : std::exchange(core_.output().resumed, {})) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) continue;
    const SocketRef socket = *found;
    if (socket->unread) feed(socket, {});
    end_if_over(socket);
    if (wants_input(*socket)) wait_readable(socket);
  }
}

void Shard::hand_over_all() {
  for (const HandOver& each : std::exchange(core_.output().hand_overs, {})) {
    const auto found = sockets_.find(each.connection);
    if (found == sockets_.end()) continue;
    const SocketRef socket = *found;
    sockets_.erase(found);
    socket->closing = true;
    host_.hand_over(each.shard, Handed{socket->descriptor.release(), &socket->listener, each.peer,
                                       std::move(socket->channel),
                                       socket->unread ? std::move(*socket->unread) : Bytes{}});
  }
}

void Shard::end_lingering() {
  const Duration patience = stopping_ ? parting_limit_at_stop : parting_limit;
  std::erase_if(lingering_, [&](const SocketRef& socket) {
    const Duration limit = socket->parting ? patience : linger_limit;
    if (host_.now() - socket->closing_since < limit) return !socket->descriptor.is_open();
    drop(socket);
    return true;
  });
}

}  // namespace naru::broker

// tools/naru/connection.cpp
#include "tools/naru/connection.hpp"

#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "storage/base/check.hpp"
#include "tools/naru/client_loop.hpp"

namespace naru::tools {
namespace {

constexpr std::uint32_t hangup = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

std::string error_text(int number) { return std::strerror(number); }

}  // namespace

Connection::Connection(ClientLoop& loop, ClientOwner& owner, ClientSettings settings)
    : loop_(loop), owner_(owner), core_(std::move(settings)) {}

Connection::~Connection() {
  close();
  loop_.forget(*this);
}

void Connection::open() {
  NARU_CHECK(fd_ < 0);
  const ServerAddress& server = loop_.server();
  const int fd = socket(server.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    owner_.on_down("no socket: " + error_text(errno));
    return;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* address = reinterpret_cast<const sockaddr*>(&server.address);
  if (connect(fd, address, server.size) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    ::close(fd);
    owner_.on_down("cannot connect to " + server.text + ": " + error_text(error));
    return;
  }
  fd_ = fd;
  connecting_ = true;
  blocked_ = hung_up_ = finishing_ = false;
  sent_ = 0;
  if (server.tls) tls_ = server.tls->open(ticket_);
  slot_ = loop_.add(*this, fd);
}

void Connection::close() {
  if (fd_ < 0) return;
  core_.on_disconnected();
  loop_.remove(slot_, fd_);
  if (tls_ && tls_->ticket()) ticket_ = tls_->ticket();
  fd_ = -1;
}

void Connection::finish() {
  core_.disconnect();
  finishing_ = true;
  flush_later();
}

void Connection::down(const std::string& reason) {
  close();
  owner_.on_down(reason);
}

void Connection::on_ready(std::uint32_t events) {
  if (connecting_) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      down("cannot connect to " + loop_.server().text + ": " + error_text(error));
      return;
    }
    if ((events & EPOLLOUT) == 0) return;
    connecting_ = false;
    on_connected();
  }
  if ((events & EPOLLOUT) != 0 && blocked_) {
    blocked_ = false;
    flush_later();
  }
  if ((events & hangup) != 0) hung_up_ = true;
  if ((events & (EPOLLIN | hangup)) != 0) receive();
}

// The socket is: MQTT begins, or the handshake before it.
void Connection::on_connected() {
  Bytes none;
  if (!tls_) {
    core_.on_connected(loop_.now());
  } else if (!unwrap({}, none)) {
    return;
  }
  flush_later();
}

// False: the connection is gone.
bool Connection::unwrap(BytesView wire, Bytes& plain) {
  const bool was_open = tls_->is_open();
  const std::string failure = tls_->receive(wire, plain);
  if (!failure.empty()) {
    down(
        (was_open ? "TLS broke: " : "the TLS handshake with " + loop_.server().text + " failed: ") +
        failure);
    return false;
  }
  if (!was_open && tls_->is_open()) core_.on_connected(loop_.now());
  return true;
}

Bytes& Connection::wire() {
  if (!tls_) return core_.output();
  if (tls_->is_open() && !core_.output().empty()) {
    tls_->send(core_.output());
    core_.output().clear();
  }
  return tls_->output();
}

// One recv a turn. Edge-triggered: a short read has emptied the socket, else there is another turn.
void Connection::receive() {
  if (connecting_) return;
  Bytes& buffer = loop_.receive_buffer();
  const ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    down(n == 0 ? "the broker closed the connection"
                : "the connection broke: " + error_text(errno));
    return;
  }
  if (static_cast<std::size_t>(n) == buffer.size() || hung_up_) loop_.receive_later(*this);
  BytesView bytes{buffer.data(), static_cast<std::size_t>(n)};
  Bytes plain;
  if (tls_) {
    if (!unwrap(bytes, plain)) return;
    bytes = plain;
  }
  if (!bytes.empty()) core_.on_bytes(bytes, loop_.now());
  ClientEvent event;
  while (fd_ >= 0 && core_.next_event(event)) owner_.on_event(event);
  if (fd_ >= 0) flush_later();
}

void Connection::flush_later() {
  if (flush_queued_ || fd_ < 0) return;
  flush_queued_ = true;
  loop_.flush_later(*this);
}

void Connection::flush() {
  flush_queued_ = false;
  if (fd_ < 0 || connecting_ || blocked_) return;
  Bytes& output = wire();
  if (finishing_ && tls_) tls_->close();  // Behind DISCONNECT, once.
  if (sent_ < output.size()) {
    const ssize_t n = send(fd_, output.data() + sent_, output.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      down("the connection broke: " + error_text(errno));
      return;
    }
    if (n > 0) sent_ += static_cast<std::size_t>(n);
  }
  blocked_ = sent_ < output.size();
  if (blocked_) return;
  output.clear();
  sent_ = 0;
  if (finishing_) shutdown(fd_, SHUT_WR);  // The broker's close ends it.
}

void Connection::on_second(Instant now) {
  if (connecting_) return;
  core_.on_time(now);
  if (core_.is_silent()) {
    down("the broker does not answer");
  } else if (!core_.output().empty()) {
    flush_later();
  }
}

}  // namespace naru::tools

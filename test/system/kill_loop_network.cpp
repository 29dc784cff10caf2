#include "test/system/kill_loop_network.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "storage/base/check.hpp"

namespace naru::test {

ClientNetwork::ClientNetwork(History& history)
    : history_(history), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  NARU_CHECK(epoll_ >= 0);
}

ClientNetwork::~ClientNetwork() {
  for (const auto& peer : peers_)
    if (peer->fd >= 0) ::close(peer->fd);
  ::close(epoll_);
}

std::size_t ClientNetwork::add(ModelOptions options) {
  options.number = static_cast<std::uint32_t>(peers_.size() + 1);
  peers_.push_back(std::make_unique<Peer>(std::move(options), history_));
  return peers_.size() - 1;
}

void ClientNetwork::watch(std::size_t index, int operation, bool for_room) {
  epoll_event event{};
  event.events = EPOLLIN | (for_room ? unsigned{EPOLLOUT} : 0u);
  event.data.u64 = index;
  NARU_CHECK(::epoll_ctl(epoll_, operation, peers_[index]->fd, &event) == 0);
  peers_[index]->waits_for_room = for_room;
}

void ClientNetwork::open(std::size_t index) {
  Peer& peer = *peers_[index];
  NARU_CHECK(peer.fd < 0);
  peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  NARU_CHECK(peer.fd >= 0);
  const int on = 1;
  ::setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A refusal shows up at the first read.
  const int result =
      ::connect(peer.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  watch(index, EPOLL_CTL_ADD, result != 0);
  peer.client.on_open(now());
  if (result == 0) serve(index, false);
}

void ClientNetwork::close(std::size_t index, ModelClient::ClosedBy by) {
  Peer& peer = *peers_[index];
  if (peer.fd < 0) return;
  ::close(peer.fd);
  peer.fd = -1;
  peer.unsent.clear();
  peer.client.on_closed(by, now());
}

void ClientNetwork::vanish(std::size_t index) {
  Peer& peer = *peers_[index];
  if (peer.fd < 0) return;
  peer.client.vanish(now());
  close(index, ModelClient::ClosedBy::broken);
}

ClientNetwork::Fate ClientNetwork::read_all(Peer& peer) {
  std::array<char, 65'536> buffer;
  for (;;) {
    const ssize_t got = ::recv(peer.fd, buffer.data(), buffer.size(), 0);
    if (got == 0) return Fate::ended;
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Fate::open : Fate::broken;
    peer.client.on_bytes({buffer.data(), static_cast<std::size_t>(got)}, now());
    if (static_cast<std::size_t>(got) < buffer.size()) return Fate::open;
  }
}

ClientNetwork::Fate ClientNetwork::write_all(std::size_t index) {
  Peer& peer = *peers_[index];
  if (peer.client.has_output()) peer.unsent += peer.client.take_output();
  while (!peer.unsent.empty()) {
    const ssize_t sent = ::send(peer.fd, peer.unsent.data(), peer.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) return Fate::broken;
    if (sent < 0) break;
    peer.unsent.erase(0, static_cast<std::size_t>(sent));
  }
  if (peer.unsent.empty() == peer.waits_for_room) watch(index, EPOLL_CTL_MOD, !peer.unsent.empty());
  return Fate::open;
}

void ClientNetwork::serve(std::size_t index, bool readable) {
  Peer& peer = *peers_[index];
  if (peer.fd < 0) return;
  Fate fate = readable ? read_all(peer) : Fate::open;
  peer.client.on_time(now());
  if (fate == Fate::open) fate = write_all(index);
  if (fate == Fate::ended) return close(index, ModelClient::ClosedBy::peer);
  if (fate == Fate::broken || peer.client.wants_close())
    close(index, ModelClient::ClosedBy::broken);
}

void ClientNetwork::step(Millis longest) {
  // What clients said since the last step goes out first; then their own deadlines count.
  Instant next = Instant::never();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const ModelClient& client = peers_[i]->client;
    if (client.has_output() || client.next_deadline() <= now()) serve(i, false);
    next = std::min(next, client.next_deadline());
  }
  if (next != Instant::never()) {
    const Duration left = std::max(next - now(), Duration{0});
    longest = std::min(longest, std::chrono::ceil<Millis>(left));
  }
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(longest.count()));
  for (int i = 0; i < count; ++i) {
    const bool readable = (events[static_cast<std::size_t>(i)].events & ~unsigned{EPOLLOUT}) != 0;
    serve(static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64), readable);
  }
}

void ClientNetwork::on_broker_dead() {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = *peers_[i];
    if (peer.fd < 0) continue;
    // Acknowledgements that the kernel still holds were given, and count.
    std::size_t before = 0;
    do {
      before = history_.records().size();
    } while (read_all(peer) == Fate::open && history_.records().size() != before);
    close(i, ModelClient::ClosedBy::broken);
  }
}

}  // namespace naru::test

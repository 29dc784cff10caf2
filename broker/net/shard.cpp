#include "broker/net/shard.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "storage/base/log.hpp"

namespace naru::broker {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes = 256 * 1024;
constexpr std::size_t accepts_a_turn = 64;
constexpr Duration linger{5'000'000};      // For the last bytes to a client that does not read.
constexpr std::size_t keep_capacity = 2'048;  // Of an empty output; more is given back.

Bytes address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "unknown";
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

Shard::Shard(ShardHost& host, ShardSettings settings, RouteTable& routes, const Gate& gate,
             const RuleSet& rules, Rng rng)
    : host_(host),
      core_(std::move(settings), routes, gate, rules, rng),
      timer_(context_),
      buffer_(read_bytes) {}

Shard::~Shard() { join(); }

void Shard::start() {
  thread_ = std::thread([this] {
    const auto work = asio::make_work_guard(context_);
    asio::post(context_, [this] { open_turn(); });
    context_.run();
  });
}

void Shard::join() {
  if (!thread_.joinable()) return;
  context_.stop();
  thread_.join();
}

// ---- from other threads ------------------------------------------------------------------------

void Shard::wake() {
  asio::post(context_, [this] { open_turn(); });
}

void Shard::post(std::function<void(ShardCore&)> work) {
  if (mailbox_.put([&](Mail& mail) { mail.work.push_back(std::move(work)); })) wake();
}

void Shard::put_hops(std::vector<Hop>& hops) {
  const bool empty = mailbox_.put([&](Mail& mail) {
    for (Hop& hop : hops) mail.hops.push_back(std::move(hop));
  });
  if (empty) wake();
}

void Shard::put_outcomes(std::vector<storage::CommitOutcome>&& outcomes) {
  const bool empty = mailbox_.put([&](Mail& mail) {
    mail.outcomes.insert(mail.outcomes.end(), outcomes.begin(), outcomes.end());
  });
  if (empty) wake();
}

void Shard::put_handed(Handed handed) {
  if (mailbox_.put([&](Mail& mail) { mail.handed.push_back(std::move(handed)); })) wake();
}

std::uint64_t Shard::expect_answer(std::function<void(bool)> done) {
  expected_.emplace(++requests_, std::move(done));
  return requests_;
}

void Shard::answer_now(std::uint64_t request) {
  core_.output().answered.push_back({request, false});
}

void Shard::begin_stop() {
  post([this](ShardCore& core) {
    stopping_ = true;
    acceptors_.clear();
    core.front().shut_down();
    core.lanes().mark_streams();
  });
}

// ---- turns -------------------------------------------------------------------------------------

void Shard::open_turn() {
  if (std::exchange(turn_open_, true)) return;
  core_.begin_turn(host_.now(), host_.store_now(), host_.wall());
  asio::post(context_, [this] { flush(); });
}

void Shard::take_mail() {
  mailbox_.take(mail_);
  if (!mail_.outcomes.empty()) core_.on_committed(mail_.outcomes);
  for (Hop& hop : mail_.hops) core_.on_hop(hop);
  for (Handed& handed : mail_.handed) {
    adopt(handed.fd, std::move(handed.peer), std::move(handed.unread));
  }
  for (auto& work : mail_.work) work(core_);
  mail_.clear();
}

void Shard::flush() {
  take_mail();
  bool more = true;
  while (more) {
    core_.end_turn();
    more = carry_out();
  }
  turn_open_ = false;
  arm_timer();
}

// What the core asks for, in the order ShardOutput promises. True: it has had new input from it.
bool Shard::carry_out() {
  ShardOutput& output = core_.output();
  if (!output.horizon.empty()) {
    host_.change_horizon(output.horizon);
    output.horizon.clear();
  }
  const std::uint16_t self = core_.settings().shard;
  if (!output.units.empty()) host_.submit(self, std::exchange(output.units, {}));
  if (std::exchange(output.resume_commits, false)) host_.resume_commits(self);
  for (std::uint16_t shard = 0; shard < output.hops.size(); ++shard) {
    if (shard == self || output.hops[shard].empty()) continue;
    host_.deliver(shard, output.hops[shard]);
    output.hops[shard].clear();
  }
  for (const Answered& answered : std::exchange(output.answered, {})) {
    const auto found = expected_.find(answered.request);
    if (found == expected_.end()) continue;
    const auto done = std::move(found->second);
    expected_.erase(found);
    done(answered.failed);
  }
  send_all();
  close_all();
  const bool more = !output.resumed.empty() || !output.fetches.empty();
  hand_over_all();
  fetch_all();
  resume_all();
  return more;
}

void Shard::arm_timer() {
  const Instant at = core_.next_deadline();
  if (at == timer_at_ && at != Instant::never()) return;
  timer_at_ = at;
  const Duration wait = std::max(Duration{0}, at - host_.now());
  timer_.expires_after(wait);
  timer_.async_wait([this](const error_code& error) {
    if (error) return;
    timer_at_ = Instant::never();
    std::erase_if(lingering_, [&](const SocketRef& socket) {
      if (host_.now() - socket->closing_since < linger) return !socket->descriptor.is_open();
      drop(socket);
      return true;
    });
    open_turn();
  });
}

// ---- connections -------------------------------------------------------------------------------

void Shard::listen(int fd, bool anonymous_allowed) {
  auto acceptor = std::make_unique<Acceptor>(context_, fd);
  acceptor->anonymous_allowed = anonymous_allowed;
  accept(*acceptors_.emplace_back(std::move(acceptor)));
}

void Shard::accept(Acceptor& acceptor) {
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
    if (!host_.admit_connection()) {
      ::close(fd);
      continue;
    }
    adopt(fd, Peer{address_of(fd), acceptor.anonymous_allowed}, {});
  }
}

void Shard::adopt(int fd, Peer peer, Bytes unread) {
  open_turn();
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto socket = std::make_shared<Socket>(context_, fd);
  socket->id = std::uint64_t{core_.settings().shard} << 48 | ++connections_;
  sockets_.emplace(socket->id, socket);
  core_.front().opened(socket->id, std::move(peer));
  if (!unread.empty()) feed(socket, unread);
  if (wants_input(*socket)) wait_readable(socket);
}

void Shard::wait_readable(const SocketRef& socket) {
  if (socket->reading || socket->closing) return;
  socket->reading = true;
  socket->descriptor.async_wait(Descriptor::wait_read, [this, socket](const error_code& error) {
    socket->reading = false;
    if (error || socket->closing) return;
    read(socket);
  });
}

void Shard::read(const SocketRef& socket) {
  open_turn();
  const ssize_t n = ::recv(socket->descriptor.native_handle(), buffer_.data(), buffer_.size(), 0);
  if (n > 0) {
    feed(socket, BytesView{buffer_.data(), static_cast<std::size_t>(n)});
  } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    return drop(socket);
  }
  if (wants_input(*socket)) wait_readable(socket);
}

// Gives the core what came, behind what it has left; keeps what it leaves.
void Shard::feed(const SocketRef& socket, BytesView fresh) {
  BytesView bytes = fresh;
  if (!socket->unread.empty()) {
    socket->unread.append(fresh);
    bytes = socket->unread;
  }
  const std::size_t taken = core_.front().receive(socket->id, bytes);
  if (bytes.data() == socket->unread.data()) {
    socket->unread.erase(0, taken);
    if (socket->unread.empty()) Bytes{}.swap(socket->unread);
  } else {
    socket->unread.assign(bytes.substr(taken));
  }
}

bool Shard::wants_input(const Socket& socket) {
  if (socket.closing) return false;
  const Connection* const connection = std::as_const(core_.front()).find(socket.id);
  return connection != nullptr && !connection->paused &&
         connection->state != Connection::State::attaching &&
         connection->state != Connection::State::closing;
}

void Shard::send_all() {
  for (const ConnectionId id : std::exchange(core_.output().dirty, {})) {
    const auto found = sockets_.find(id);
    if (found != sockets_.end()) send(found->second);
  }
}

void Shard::send(const SocketRef& socket) {
  core_.front().sending(socket->id);
  if (socket->writing) return;
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
    const Bytes* const output = core_.front().output(socket->id);
    if (socket->closing && output != nullptr && output->empty()) drop(socket);
  });
}

void Shard::close_all() {
  for (const ConnectionId id : std::exchange(core_.output().closing, {})) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) continue;
    const SocketRef socket = found->second;
    socket->closing = true;
    const Bytes* const output = core_.front().output(id);
    if (output == nullptr || output->empty()) {
      drop(socket);
    } else {
      socket->closing_since = host_.now();
      lingering_.push_back(socket);
    }
  }
}

void Shard::drop(const SocketRef& socket) {
  if (!socket->descriptor.is_open()) return;
  open_turn();
  socket->closing = true;
  error_code ignored;
  // A client that is still sending must read our last words before it sees a reset.
  ::shutdown(socket->descriptor.native_handle(), SHUT_WR);
  socket->descriptor.close(ignored);
  sockets_.erase(socket->id);
  core_.front().closed(socket->id);
  host_.connection_gone();
}

void Shard::resume_all() {
  for (const ConnectionId id : std::exchange(core_.output().resumed, {})) {
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) continue;
    const SocketRef socket = found->second;
    if (!socket->unread.empty()) feed(socket, {});
    if (wants_input(*socket)) wait_readable(socket);
  }
}

void Shard::hand_over_all() {
  for (const HandOver& each : std::exchange(core_.output().hand_overs, {})) {
    const auto found = sockets_.find(each.connection);
    if (found == sockets_.end()) continue;
    const SocketRef socket = found->second;
    sockets_.erase(found);
    socket->closing = true;
    host_.hand_over(each.shard, Handed{socket->descriptor.release(), std::move(socket->unread),
                                       each.peer});
  }
}

void Shard::fetch_all() {
  for (Fetch& fetch : std::exchange(core_.output().fetches, {})) {
    Fetched fetched{std::move(fetch), {}};
    if (host_.read_cached(fetched)) {
      core_.on_fetched(fetched);
    } else {
      host_.read_later(core_.settings().shard, std::move(fetched.request));
    }
  }
}

}  // namespace naru::broker

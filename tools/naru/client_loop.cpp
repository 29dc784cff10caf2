// tools/naru/client_loop.cpp
#include "tools/naru/client_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tools/naru/open_limits.hpp"

namespace naru::tools {
namespace {

constexpr std::size_t receive_size = 64 * 1024;
constexpr std::uint64_t signal_key = ~std::uint64_t{0};
constexpr std::uint64_t input_key = signal_key - 1;

int watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

}  // namespace

ClientLoop::ClientLoop(ServerAddress server)
    : server_(std::move(server)),
      now_(SystemClock{}.now()),
      next_second_(now_ + Seconds{1}),
      descriptors_{.epoll = epoll_create1(EPOLL_CLOEXEC), .signals = watch_signals()},
      receive_buffer_(receive_size, '\0') {
  raise_open_files();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = signal_key;
  epoll_ctl(descriptors_.epoll, EPOLL_CTL_ADD, descriptors_.signals, &event);
}

ClientLoop::~ClientLoop() {
  ::close(descriptors_.signals);
  ::close(descriptors_.epoll);
}

std::uint32_t ClientLoop::add(Connection& connection, int fd) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(nullptr);
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = &connection;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = std::uint64_t{static_cast<std::uint32_t>(fd)} << 32 | slot;
  epoll_ctl(descriptors_.epoll, EPOLL_CTL_ADD, fd, &event);
  return slot;
}

void ClientLoop::remove(std::uint32_t slot, int fd) {
  slots_[slot] = nullptr;
  free_slots_.push_back(slot);
  ::close(fd);
}

void ClientLoop::forget(Connection& connection) {
  std::erase(to_receive_, &connection);
  std::erase(to_flush_, &connection);
}

void ClientLoop::call_at(Instant when, ClientOwner& owner) { timers_.push({when, &owner}); }

void ClientLoop::want_input(ClientOwner& owner) {
  input_.owner = &owner;
  if (input_.always_ready) return;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = input_key;
  if (epoll_ctl(descriptors_.epoll, EPOLL_CTL_MOD, STDIN_FILENO, &event) == 0) return;
  if (epoll_ctl(descriptors_.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0) return;
  input_.always_ready = true;
}

Duration ClientLoop::wait_time() const {
  if (end_ != End::running || !to_receive_.empty() ||
      (input_.always_ready && input_.owner != nullptr))
    return Duration{0};
  Instant next = next_second_;
  if (!timers_.empty()) next = std::min(next, timers_.top().when);
  return std::max(next - SystemClock{}.now(), Duration{0});
}

// An open loop has messages due every few microseconds, which epoll_wait() cannot tell apart.
int ClientLoop::wait(std::span<epoll_event> events) const {
  const auto size = static_cast<int>(events.size());
  const Duration most = wait_time();
  const auto whole = std::chrono::duration_cast<Seconds>(most);
  const timespec left{.tv_sec = whole.count(), .tv_nsec = (most - whole).count() * 1000};
  const int n = epoll_pwait2(descriptors_.epoll, events.data(), size, &left, nullptr);
  if (n >= 0 || errno != ENOSYS) return n;  // Linux before 5.11 has only milliseconds.
  const auto millis = std::chrono::ceil<Millis>(most);
  return epoll_wait(descriptors_.epoll, events.data(), size, static_cast<int>(millis.count()));
}

void ClientLoop::run() {
  end_ = End::running;
  std::array<epoll_event, 512> events;
  while (end_ == End::running) {
    flush_all();
    const int n = wait(events);
    now_ = SystemClock{}.now();
    const std::vector<Connection*> again = std::exchange(to_receive_, {});
    for (Connection* connection : again) {
      if (connection->is_open()) connection->receive();
    }
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      dispatch(event.data.u64, event.events);
    }
    if (input_.always_ready && input_.owner != nullptr) {
      std::exchange(input_.owner, nullptr)->on_input();
    }
    run_timers();
    if (now_ >= next_second_) on_second();
  }
  flush_all();
}

// A slot may have been closed, and even taken again, earlier in this turn: the descriptor tells.
void ClientLoop::dispatch(std::uint64_t key, std::uint32_t events) {
  if (key == signal_key) {
    signalfd_siginfo info{};
    while (read(descriptors_.signals, &info, sizeof info) > 0) end_ = End::interrupted;
    return;
  }
  if (key == input_key) {
    if (input_.owner != nullptr) std::exchange(input_.owner, nullptr)->on_input();
    return;
  }
  Connection* const connection = slots_[static_cast<std::uint32_t>(key)];
  const auto fd = static_cast<int>(key >> 32);
  if (connection != nullptr && connection->descriptor() == fd) connection->on_ready(events);
}

void ClientLoop::run_timers() {
  while (!timers_.empty() && timers_.top().when <= now_) {
    ClientOwner* const owner = timers_.top().owner;
    timers_.pop();
    owner->on_timer(now_);
  }
}

void ClientLoop::flush_all() {
  while (!to_flush_.empty()) {
    const std::vector<Connection*> turn = std::exchange(to_flush_, {});
    for (Connection* connection : turn) connection->flush();
  }
}

void ClientLoop::on_second() {
  next_second_ = now_ + Seconds{1};
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] != nullptr) slots_[slot]->on_second(now_);
  }
}

}  // namespace naru::tools

// tools/naru/client_loop.hpp
//
// ClientLoop drives many MQTT clients on one thread: one epoll, non-blocking sockets, one recv and
// one send for each that is ready, in each turn. 10,000 connections are its ordinary case.
//
// Edge: epoll, signals, time.
// Lives on: the thread that calls run().
// Owned by: a command. Borrows connections and timer owners, which outlive run() and do not move.
// Bounded by: the process' limit of open files, which it raises as far as it may.
#pragma once

#include <cstdint>
#include <queue>
#include <span>
#include <string>
#include <vector>

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"
#include "tools/naru/connection.hpp"
#include "tools/naru/server_address.hpp"

struct epoll_event;

namespace naru::tools {

class ClientLoop {
 public:
  explicit ClientLoop(ServerAddress server);
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;
  ~ClientLoop();

  void run();  // Until stop(), or SIGINT or SIGTERM.
  void stop() {
    if (end_ == End::running) end_ = End::stopped;  // An interrupt of the same turn still counts.
  }
  bool interrupted() const { return end_ == End::interrupted; }

  Instant now() const { return now_; }  // Of this turn.
  void call_at(Instant when, ClientOwner& owner);
  // Calls on_input() once, as soon as standard input has something (or its end).
  void want_input(ClientOwner& owner);

  // What connections call, nobody else.
  const ServerAddress& server() const { return server_; }
  std::uint32_t add(Connection& connection, int fd);
  void remove(std::uint32_t slot, int fd);
  void forget(Connection& connection);
  void flush_later(Connection& connection) { to_flush_.push_back(&connection); }
  void receive_later(Connection& connection) { to_receive_.push_back(&connection); }
  Bytes& receive_buffer() { return receive_buffer_; }

 private:
  struct Timer {
    Instant when;
    ClientOwner* owner;
    bool operator<(const Timer& other) const { return when > other.when; }  // Earliest on top.
  };

  Duration wait_time() const;
  int wait(std::span<epoll_event> events) const;
  void dispatch(std::uint64_t slot, std::uint32_t events);
  void run_timers();
  void flush_all();
  void on_second();

  enum class End : std::uint8_t { running, stopped, interrupted };
  struct Descriptors {
    int epoll;
    int signals;
  };
  struct Input {
    ClientOwner* owner;  // Null: nobody wants it.
    bool always_ready;   // A regular file, which epoll does not take.
  };

  const ServerAddress server_;
  Instant now_;
  Instant next_second_;
  const Descriptors descriptors_;
  std::vector<Connection*> slots_;  // By slot; null where free.
  std::vector<std::uint32_t> free_slots_;
  std::vector<Connection*> to_flush_;
  std::vector<Connection*> to_receive_;  // Have more to read than one turn took.
  std::priority_queue<Timer> timers_;
  Input input_{};
  End end_ = End::running;
  Bytes receive_buffer_;
};

}  // namespace naru::tools

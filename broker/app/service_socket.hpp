// broker/app/service_socket.hpp
//
// ServiceSocket tells systemd how narud stands: ready, reading its configuration again, stopping,
// still alive. It speaks sd_notify's datagrams to the Unix socket that systemd names in the
// environment; without one every call does nothing.
//
// Edge: one datagram a call, which waits some seconds at most; the log has what could not be sent.
// Lives on any thread: nothing changes after it was made.
// Owned by run_narud(). Bounded by: a status of limits::log_value_bytes.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include "storage/base/clock.hpp"

namespace naru::broker {

class ServiceSocket {
 public:
  // path: of a Unix socket; '@' in front stands for an abstract one, as in $NOTIFY_SOCKET.
  // watchdog: how often systemd wants a sign of life; 0: never.
  ServiceSocket(const std::string& path, Duration watchdog);
  ~ServiceSocket();
  ServiceSocket(const ServiceSocket&) = delete;
  ServiceSocket& operator=(const ServiceSocket&) = delete;

  // The values of $NOTIFY_SOCKET, and of $WATCHDOG_USEC where $WATCHDOG_PID is this process.
  static std::string path_from_environment();
  static Duration watchdog_from_environment();

  bool is_open() const { return fd_ >= 0; }
  Duration watchdog() const { return watchdog_; }

  void ready(std::string_view status) const;
  void reloading(Instant monotonic) const;  // ready() ends it.
  void stopping() const;
  void alive() const;
  void status(std::string_view text) const;

 private:
  void send(std::string_view lines) const;

  sockaddr_un address_{};
  socklen_t address_bytes_ = 0;
  int fd_ = -1;
  const Duration watchdog_;
};

}  // namespace naru::broker

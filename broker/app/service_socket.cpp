#include "broker/app/service_socket.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "storage/base/limits.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

constexpr timeval send_limit{5, 0};  // systemd reads at once, unless it is in trouble itself.

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = failure == std::errc{} && stop == text.data() + text.size();
  return whole ? number : 0;
}

// A status is one line: whatever would begin another assignment becomes a blank.
std::string status_line(std::string_view text) {
  std::string line{text.substr(0, limits::log_value_bytes)};
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  return "STATUS=" + line + "\n";
}

}  // namespace

std::string ServiceSocket::path_from_environment() { return environment("NOTIFY_SOCKET"); }

Duration ServiceSocket::watchdog_from_environment() {
  const std::string pid = environment("WATCHDOG_PID");
  if (!pid.empty() && number_of(pid) != ::getpid()) return Duration{0};
  return Duration{std::max<std::int64_t>(number_of(environment("WATCHDOG_USEC")), 0)};
}

ServiceSocket::ServiceSocket(const std::string& path, Duration watchdog) : watchdog_(watchdog) {
  const bool known = path.starts_with('/') || path.starts_with('@');
  if (!known || path.size() < 2 || path.size() >= sizeof address_.sun_path) return;
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, path.data(), path.size());
  if (path.starts_with('@')) address_.sun_path[0] = '\0';
  address_bytes_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return;
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof send_limit);
}

ServiceSocket::~ServiceSocket() {
  if (fd_ >= 0) ::close(fd_);
}

void ServiceSocket::send(std::string_view lines) const {
  if (fd_ < 0) return;
  const auto* const to = reinterpret_cast<const sockaddr*>(&address_);
  const ssize_t sent = ::sendto(fd_, lines.data(), lines.size(), MSG_NOSIGNAL, to, address_bytes_);
  if (sent < 0) log(Severity::warning, "systemd_not_told", {{"reason", std::strerror(errno)}});
}

void ServiceSocket::ready(std::string_view text) const { send("READY=1\n" + status_line(text)); }

void ServiceSocket::reloading(Instant monotonic) const {
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic.since_start.count()) + "\n" +
       status_line("reading the configuration again"));
}

void ServiceSocket::stopping() const {
  send("STOPPING=1\n" + status_line("saying goodbye to clients, committing what is under way"));
}

void ServiceSocket::alive() const { send("WATCHDOG=1\n"); }

void ServiceSocket::status(std::string_view text) const { send(status_line(text)); }

}  // namespace naru::broker

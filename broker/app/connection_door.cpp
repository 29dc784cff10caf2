#include "broker/app/connection_door.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <iterator>

#include "broker/auth/certificate_fields.hpp"
#include "broker/net/shard_host.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

Bytes source_of(BytesView address) {
  const Bytes host{address.substr(0, address.rfind(':'))};
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return host;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) != 1) return {};
  char text[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    return ::inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof text);
  }
  // Whoever has one address of such a network usually has all of them.
  std::fill(std::begin(v6.s6_addr) + 8, std::end(v6.s6_addr), std::uint8_t{0});
  return ::inet_ntop(AF_INET6, &v6, text, sizeof text);
}

void ConnectionDoor::set_limits(const LimitConfig& limits) {
  const std::lock_guard lock{mutex_};
  quota_.set_limits({limits.max_connections, limits.connections_per_address, limits.connection_rate,
                     limits.connection_rate_per_address});
}

void ConnectionDoor::set_low_memory(bool is_low) {
  const std::lock_guard lock{mutex_};
  quota_.set_low_memory(is_low);
}

ConnectionQuota::Refusal ConnectionDoor::admit(int fd, Listener& listener, BytesView address,
                                               Instant now) {
  if (!listener.admit()) return Denial::Kind::full;
  // A load balancer's own address says nothing.
  const Bytes source = listener.proxy_version == 0 ? source_of(address) : Bytes{};
  const std::lock_guard lock{mutex_};
  const auto refusal = quota_.admit(fd, source, now);
  if (refusal) listener.connection_gone();
  return refusal;
}

ConnectionQuota::Refusal ConnectionDoor::locate(int fd, BytesView address, Instant now) {
  const Bytes source = source_of(address);
  const std::lock_guard lock{mutex_};
  return quota_.locate(fd, source, now);
}

void ConnectionDoor::enter(Listener& listener) {
  listener.admit();
  const std::lock_guard lock{mutex_};
  quota_.enter();
}

void ConnectionDoor::gone(int fd, Listener& listener) {
  listener.connection_gone();
  const std::lock_guard lock{mutex_};
  quota_.gone(fd);
}

std::int64_t ConnectionDoor::open() const {
  const std::lock_guard lock{mutex_};
  return quota_.open();
}

void ConnectionDoor::log_failure(const ChannelFailure& failure, Instant now) {
  Bytes name, serial;
  if (failure.refused != nullptr) {
    name = failure.refused->value(CertificateField::common_name);
    serial = failure.refused->value(CertificateField::serial);
  }
  RateLimit::Verdict verdict;
  {
    const std::lock_guard lock{mutex_};
    verdict =
        failures_.ask(failure.address, failure.refused == nullptr ? "" : serial + ' ' + name, now);
  }
  if (!verdict.pass) return;
  const char* const event = failure.was_open ? "connection_failed" : "handshake_failed";
  const LogField address{"address", failure.address}, reason{"reason", failure.why},
      more{"more_before", verdict.swallowed};
  if (failure.refused == nullptr) return log(Severity::warning, event, {address, reason, more});
  log(Severity::warning, event, {address, reason, {"common_name", name}, {"serial", serial}, more});
}

}  // namespace naru::broker

// broker/app/failure_limit.hpp
//
// FailureLimit says which failed handshakes the log tells of: one of an address and minute, and
// beside it one of each certificate that was refused. Behind one address there may be many cars,
// and also somebody who makes up certificates: of 64 an address and minute each has its own.
//
// Sans-IO. A value on one thread at a time. Owned by ConnectionDoor, behind its lock.
// Bounded by: RateLimit's places, of addresses and of certificates: no more lines a minute.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/rate_limit.hpp"
#include "storage/base/recent_map.hpp"

namespace naru::broker {

class FailureLimit {
 public:
  static constexpr unsigned certificates_of_address = 64;

  // certificate: says which one was refused; empty: the handshake did not fail for one.
  RateLimit::Verdict ask(BytesView address, BytesView certificate, Instant now);

 private:
  struct Told {
    Instant until{Duration::min()};
    unsigned certificates = 0;
  };
  static constexpr Seconds interval{60};
  static constexpr std::size_t certificates_most = 1'024;

  RateLimit addresses_{interval};
  RateLimit certificates_{interval, certificates_most};
  RecentMap<Bytes, Told> told_{certificates_most};
};

}  // namespace naru::broker

// test/broker/app/failure_limit_test.cpp
//
// Goal: every refused certificate behind an address is told of once a minute, and who makes them up
// gains nothing. Method: a clock that the test sets.

#include "broker/app/failure_limit.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

constexpr Instant start{Seconds{1}};

unsigned count_told(FailureLimit& limit, BytesView address, unsigned certificates, Instant now) {
  unsigned told = 0;
  for (unsigned i = 0; i < certificates; ++i) {
    if (limit.ask(address, std::to_string(i), now).pass) ++told;
  }
  return told;
}

}  // namespace

TEST_CASE("A handshake without a certificate is told of once an address and minute", "[limits]") {
  FailureLimit limit;
  CHECK(limit.ask("10.0.0.1", {}, start).pass);
  CHECK_FALSE(limit.ask("10.0.0.1", {}, start + Seconds{59}).pass);
  CHECK(limit.ask("10.0.0.2", {}, start + Seconds{59}).pass);
  const auto again = limit.ask("10.0.0.1", {}, start + Seconds{60});
  CHECK(again.pass);
  CHECK(again.swallowed == 1);
}

TEST_CASE("Each certificate behind an address is told of, once a minute", "[limits]") {
  FailureLimit limit;
  CHECK(limit.ask("10.0.0.1", {}, start).pass);
  CHECK(limit.ask("10.0.0.1", "1001 car1", start).pass);
  CHECK(limit.ask("10.0.0.1", "1002 car2", start).pass);
  CHECK_FALSE(limit.ask("10.0.0.1", "1001 car1", start + Seconds{59}).pass);
  CHECK(limit.ask("10.0.0.2", "1001 car1", start + Seconds{59}).pass);
  const auto again = limit.ask("10.0.0.1", "1001 car1", start + Seconds{60});
  CHECK(again.pass);
  CHECK(again.swallowed == 1);
}

TEST_CASE("Certificates beyond an address's share are told of like an address", "[limits]") {
  constexpr unsigned most = FailureLimit::certificates_of_address;
  FailureLimit limit;
  CHECK(count_told(limit, "10.0.0.1", 10 * most, start) == most + 1);
  CHECK(count_told(limit, "10.0.0.2", 2, start) == 2);
  CHECK(count_told(limit, "10.0.0.1", 10 * most, start + Seconds{60}) == most + 1);
}

TEST_CASE("Certificates from any number of addresses do not fill the log", "[limits]") {
  FailureLimit limit;
  unsigned told = 0;
  for (unsigned i = 0; i < 10'000; ++i) {
    told += count_told(limit, "10.0.0." + std::to_string(i), 2, start);
  }
  CHECK(told <= 1'025);
  const Bytes large(100'000, 'x');  // Only its beginning counts, and is kept.
  CHECK(limit.ask("10.1.0.1", large + "1", start + Seconds{60}).pass);
  CHECK_FALSE(limit.ask("10.1.0.1", large + "2", start + Seconds{60}).pass);
}

}  // namespace naru::broker

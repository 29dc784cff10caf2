// test/broker/session/connection_quota_test.cpp
//
// Goal: each limit lets through exactly as many as it says, and what has gone makes room. Method:
// arrivals and departures in a dialogue with the time handed in.

#include "broker/session/connection_quota.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

using Kind = Denial::Kind;
using Refusal = ConnectionQuota::Refusal;

constexpr Instant start{Seconds{100}};

ConnectionQuota quota_of(const ConnectionLimits& limits) {
  ConnectionQuota quota;
  quota.set_limits(limits);
  return quota;
}

}  // namespace

TEST_CASE("Connections beyond the total are full, until one goes", "[session][limits]") {
  ConnectionQuota quota = quota_of({.connections = 2});
  CHECK(quota.admit(1, "a", start) == Refusal{});
  CHECK(quota.admit(2, "b", start) == Refusal{});
  CHECK(quota.admit(3, "c", start) == Kind::full);
  CHECK(quota.open() == 2);
  quota.gone(1);
  CHECK(quota.admit(3, "c", start) == Refusal{});
  quota.enter();
  CHECK(quota.open() == 3);
}

TEST_CASE("An address has its own number of connections", "[session][limits]") {
  ConnectionQuota quota = quota_of({.connections_of_address = 1});
  CHECK(quota.admit(1, "a", start) == Refusal{});
  CHECK(quota.admit(2, "a", start) == Kind::address_full);
  CHECK(quota.admit(3, "b", start) == Refusal{});
  CHECK(quota.admit(4, "", start) == Refusal{});  // Without an address, as often as one likes.
  CHECK(quota.admit(5, "", start) == Refusal{});
  quota.gone(4);
  CHECK(quota.admit(2, "a", start) == Kind::address_full);
  quota.gone(1);
  CHECK(quota.admit(2, "a", start) == Refusal{});
  CHECK(quota.open() == 3);
}

TEST_CASE("What comes through a proxy has its address later", "[session][limits]") {
  ConnectionQuota quota = quota_of({.connections_of_address = 1});
  for (const std::int64_t key : {1, 2, 3}) CHECK(quota.admit(key, "", start) == Refusal{});
  CHECK(quota.locate(1, "a", start) == Refusal{});
  CHECK(quota.locate(2, "a", start) == Kind::address_full);
  quota.gone(2);  // It counted as open all the same.
  CHECK(quota.open() == 2);
  CHECK(quota.locate(3, "a", start) == Kind::address_full);
  quota.gone(1);
  CHECK(quota.locate(3, "a", start) == Refusal{});
}

TEST_CASE("New connections have a rate, all of them and those of an address", "[session][limits]") {
  ConnectionQuota quota = quota_of({.rate = 3, .rate_of_address = 2});
  CHECK(quota.admit(1, "a", start) == Refusal{});
  CHECK(quota.admit(2, "a", start) == Refusal{});
  CHECK(quota.admit(3, "a", start) == Kind::address_rate);
  CHECK(quota.admit(3, "b", start) == Refusal{});
  CHECK(quota.admit(4, "c", start) == Kind::connection_rate);
  CHECK(quota.open() == 3);
  quota.gone(1);
  quota.gone(2);
  CHECK(quota.admit(4, "a", start + Millis{400}) == Kind::address_rate);  // Going is no refund.
  CHECK(quota.admit(4, "a", start + Millis{500}) == Refusal{});
  for (int second = 2; second < 10; ++second) {  // Longer than a place is kept.
    const Instant now = start + Seconds{second};
    CHECK(quota.admit(10 * second, "a", now) == Refusal{});
    CHECK(quota.admit(10 * second + 1, "a", now) == Refusal{});
    CHECK(quota.admit(10 * second + 2, "a", now) == Kind::address_rate);
  }
}

TEST_CASE("Limits that change hold from then on", "[session][limits]") {
  ConnectionQuota quota = quota_of({});
  for (std::int64_t key = 0; key < 100; ++key) CHECK(quota.admit(key, "a", start) == Refusal{});
  quota.set_limits({.connections = 101, .connections_of_address = 1});
  CHECK(quota.admit(200, "a", start) == Refusal{});  // Who was there before is not counted.
  CHECK(quota.admit(201, "a", start) == Kind::full);
  quota.gone(5);
  CHECK(quota.admit(201, "a", start) == Kind::address_full);
  quota.set_limits({});
  CHECK(quota.admit(201, "a", start) == Refusal{});
}

}  // namespace naru::broker

// test/storage/base/token_bucket_test.cpp
//
// Goal: never more than a second's worth at once, never more than the rate in the long run, and the
// time that is told is the first at which something is there. Method: tables of steps in time.

#include "storage/base/token_bucket.hpp"

#include <catch2/catch.hpp>

namespace naru {
namespace {

constexpr Instant start{Seconds{5}};

int taken_at(TokenBucket& bucket, TokenBucket::Rate rate, Instant now) {
  int taken = 0;
  bucket.refill(rate, now);
  while (bucket.try_take()) ++taken;
  return taken;
}

}  // namespace

TEST_CASE("A bucket gives a second's worth, then what time brings", "[base]") {
  TokenBucket bucket{4, start};
  CHECK(taken_at(bucket, 4, start) == 4);
  CHECK(taken_at(bucket, 4, start + Millis{249}) == 0);
  CHECK(taken_at(bucket, 4, start + Millis{250}) == 1);
  CHECK(taken_at(bucket, 4, start + Seconds{1}) == 3);
  CHECK(taken_at(bucket, 4, start + Seconds{100}) == 4);
  CHECK(taken_at(bucket, 4, start) == 0);  // Time that goes back brings nothing.
}

TEST_CASE("A bucket in debt says when it will have something", "[base]") {
  const TokenBucket::Rate rate = GENERATE(1u, 7u, 1000u, 4'000'000'000u);
  const std::uint64_t more = GENERATE(std::uint64_t{0}, 1u, 268'435'460u);
  CAPTURE(rate, more);
  TokenBucket bucket{rate, start};
  bucket.take(rate + more);
  CHECK_FALSE(bucket.has_any());
  const Instant ready = bucket.ready_at(rate);
  TokenBucket early = bucket;
  early.refill(rate, ready - Duration{1});
  CHECK_FALSE(early.has_any());
  bucket.refill(rate, ready);
  CHECK(bucket.has_any());
  CHECK_FALSE(bucket.is_full(rate));
  bucket.refill(rate, ready + Seconds{1});
  CHECK(bucket.is_full(rate));
}

TEST_CASE("A bucket follows a rate that changes", "[base]") {
  TokenBucket bucket{1000, start};
  CHECK(taken_at(bucket, 2, start + Seconds{1}) == 2);
  CHECK(taken_at(bucket, 10, start + Seconds{2}) == 10);
}

}  // namespace naru

// test/tools/delivery_checker_test.cpp
//
// Goal: a bench tells the truth about loss, duplicates, order and time. Method: deliveries by
// hand, with each defect on its own.

#include <catch2/catch.hpp>

#include <initializer_list>
#include <vector>

#include "tools/naru/delivery_checker.hpp"
#include "tools/naru/latency_histogram.hpp"

namespace naru::tools {
namespace {

// What one subscriber of one publisher received, by number.
DeliveryChecker checker_after(std::initializer_list<std::uint64_t> numbers) {
  DeliveryChecker checker{1};
  for (const std::uint64_t number : numbers) {
    checker.on_message(Mark{.publisher = 0, .number = number, .at = {}});
  }
  return checker;
}

std::uint64_t lost_of(const DeliveryChecker& checker, std::uint64_t published) {
  return checker.lost_of(std::vector<std::uint64_t>{published});
}

}  // namespace

TEST_CASE("A mark survives in a payload of any length that holds it", "[tools]") {
  Bytes payload(Mark::size + 3, 'x');
  write_mark(payload, {.publisher = 70'000, .number = 5'000'000'000, .at = {Seconds{9}}});
  const auto mark = read_mark(payload);
  REQUIRE(mark.has_value());
  CHECK(mark->publisher == 70'000);
  CHECK(mark->number == 5'000'000'000);
  CHECK(mark->at == Instant{Seconds{9}});
  CHECK(payload.substr(Mark::size) == "xxx");
  CHECK_FALSE(read_mark(BytesView{payload}.substr(0, Mark::size - 1)).has_value());
}

TEST_CASE("All in order is flawless", "[tools]") {
  const DeliveryChecker checker = checker_after({1, 2, 3});
  CHECK(checker.counts().received == 3);
  CHECK(checker.counts().duplicates + checker.counts().out_of_order == 0);
  CHECK(lost_of(checker, 3) == 0);
}

TEST_CASE("What is missing in the middle or at the end is lost", "[tools]") {
  CHECK(lost_of(checker_after({1, 4}), 4) == 2);
  CHECK(lost_of(checker_after({1, 2}), 5) == 3);
  CHECK(lost_of(checker_after({}), 2) == 2);
}

TEST_CASE("What comes late is out of order, not lost; what comes again is a duplicate", "[tools]") {
  const DeliveryChecker checker = checker_after({1, 3, 2, 3, 1});
  CHECK(checker.counts().out_of_order == 1);
  CHECK(checker.counts().duplicates == 2);
  CHECK(lost_of(checker, 3) == 0);
}

TEST_CASE("What nobody here has sent is foreign", "[tools]") {
  DeliveryChecker checker{1};
  checker.on_message(std::nullopt);
  checker.on_message(Mark{.publisher = 1, .number = 1, .at = {}});
  checker.on_message(Mark{.publisher = 0, .number = 0, .at = {}});
  CHECK(checker.counts().foreign == 3);
}

TEST_CASE("A percentile is within one part in 32", "[tools]") {
  LatencyHistogram histogram;
  CHECK(histogram.percentile(0.5) == Duration{0});
  for (int micros = 1; micros <= 100'000; ++micros) histogram.add(Duration{micros});
  for (const double share : {0.001, 0.01, 0.5, 0.99, 1.0}) {
    const double exact = share * 100'000;
    const auto found = static_cast<double>(histogram.percentile(share).count());
    CAPTURE(share);
    CHECK(found >= exact);
    CHECK(found <= exact * 33 / 32 + 1);
  }
  histogram.add(Duration::max());
  histogram.add(Duration{-5});
  CHECK(histogram.count() == 100'002);
}

}  // namespace naru::tools

// test/broker/app/pulse_test.cpp
//
// Goal: a thread that does not answer is named until it answers, and is asked no second time
// meanwhile. Method: rounds with answers that the test gives or keeps back.

#include "broker/app/pulse.hpp"

#include <catch2/catch.hpp>
#include <vector>

namespace naru::broker {

TEST_CASE("Pulse names the first thread that has not answered since the last round", "[pulse]") {
  Pulse pulse{3};
  std::vector<std::size_t> asked;
  const auto ask = [&](std::size_t n) { asked.push_back(n); };

  CHECK_FALSE(pulse.round(ask).has_value());
  CHECK(asked == std::vector<std::size_t>{0, 1, 2});

  asked.clear();
  pulse.on_answer(0);
  pulse.on_answer(2);
  CHECK(pulse.round(ask) == std::optional<std::size_t>{1});
  CHECK(asked == std::vector<std::size_t>{0, 2});

  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) pulse.on_answer(n);
  asked.clear();
  CHECK_FALSE(pulse.round(ask).has_value());
  CHECK(asked == std::vector<std::size_t>{0, 1, 2});
}

}  // namespace naru::broker

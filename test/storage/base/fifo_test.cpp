// test/storage/base/fifo_test.cpp
//
// Goal: what goes in comes out in order, and nothing is kept of what was popped.
// Method: a deque as model, and counted references.

#include "storage/base/fifo.hpp"

#include <deque>
#include <memory>

#include <catch2/catch.hpp>

#include "storage/base/rng.hpp"

using naru::Fifo;

TEST_CASE("a fifo gives back what was put in, in order, as a deque does") {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    naru::Rng rng{seed};
    Fifo<std::shared_ptr<int>> fifo;
    std::deque<std::shared_ptr<int>> model;
    for (int step = 0; step < 20'000; ++step) {
      // It grows for a while, and is emptied for a while: through every size up to some hundreds.
      const std::uint64_t bias = step / 1'000 % 2 == 0 ? 6 : 4;
      if (rng.below(10) < bias) {
        model.push_back(std::make_shared<int>(step));
        fifo.push_back(model.back());
      } else if (!model.empty()) {
        REQUIRE(fifo.front() == model.front());
        model.pop_front();
        fifo.pop_front();
      }
      REQUIRE(fifo.size() == model.size());
      if (!model.empty()) {
        const std::size_t place = rng.below(model.size());
        REQUIRE(fifo[place] == model[place]);
      }
    }
  }
}

TEST_CASE("a fifo destroys what was popped at once, and the rest with itself") {
  const auto item = std::make_shared<int>(1);
  {
    Fifo<std::shared_ptr<int>> fifo;
    for (int i = 0; i < 10; ++i) fifo.push_back(item);
    REQUIRE(item.use_count() == 11);
    fifo.pop_front();
    REQUIRE(item.use_count() == 10);
    Fifo<std::shared_ptr<int>> other = std::move(fifo);
    REQUIRE(other.size() == 9);
    REQUIRE(item.use_count() == 10);
    other.clear();
    REQUIRE(item.use_count() == 1);
    other.push_back(item);
  }
  REQUIRE(item.use_count() == 1);
}

TEST_CASE("an unused fifo is a pointer") { STATIC_REQUIRE(sizeof(Fifo<int>) == sizeof(void*)); }

// test/storage/base/keyed_set_test.cpp
//
// Goal: things are found by the key they know themselves, a number or a text.
// Method: sets of owning and of shared pointers.

#include "storage/base/keyed_set.hpp"

#include <memory>

#include <catch2/catch.hpp>

namespace {

struct Car {
  naru::Bytes name;
  std::uint64_t number = 0;
};

}  // namespace

TEST_CASE("a keyed set finds things by the key they know themselves") {
  naru::KeyedSet<std::unique_ptr<Car>, &Car::number> cars;
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    cars.insert(std::make_unique<Car>(Car{"car-" + std::to_string(i), i << 48}));
  }
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    const auto found = cars.find(i << 48);
    REQUIRE(found != cars.end());
    REQUIRE((*found)->name == "car-" + std::to_string(i));
  }
  REQUIRE_FALSE(cars.contains(std::uint64_t{1}));
  REQUIRE(cars.erase(std::uint64_t{5} << 48) == 1);
  REQUIRE(cars.erase(std::uint64_t{5} << 48) == 0);
  REQUIRE(cars.size() == 999);
}

TEST_CASE("a keyed set takes a text as key, and one thing for each") {
  naru::KeyedSet<std::shared_ptr<Car>, &Car::name> cars;
  const auto first = std::make_shared<Car>(Car{"a name that does not fit into a string itself", 1});
  REQUIRE(cars.insert(first).second);
  REQUIRE_FALSE(cars.insert(std::make_shared<Car>(Car{first->name, 2})).second);
  REQUIRE(*cars.find(naru::BytesView{first->name}) == first);
  REQUIRE(cars.find(naru::BytesView{"a name"}) == cars.end());
  cars.erase(first->name);
  REQUIRE(cars.empty());
}

// test/storage/base/lazy_map_test.cpp
//
// Goal: a LazyMap behaves as the map it becomes, also before it is one. Method: the same steps on
// it and on a std::map.

#include "storage/base/lazy_map.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "storage/base/rng.hpp"

namespace naru {

TEST_CASE("A LazyMap that was never filled is an empty map", "[base]") {
  LazyMap<int, int> map;
  CHECK(map.empty());
  CHECK(map.size() == 0);
  CHECK_FALSE(map.contains(1));
  CHECK(map.find(1) == map.end());
  CHECK(map.begin() == map.end());
  CHECK(map.erase(1) == 0);
  map.clear();
  CHECK(sizeof map == sizeof(void*));
}

TEST_CASE("A LazyMap holds what was put into it", "[base]") {
  Rng rng{GENERATE(1u, 2u, 3u)};
  LazyMap<int, int> map;
  std::map<int, int> model;
  for (int step = 0; step < 2'000; ++step) {
    const int key = static_cast<int>(rng.below(40));
    switch (rng.below(5)) {
      case 0: map[key] = model[key] = step; break;
      case 1:
        CHECK(map.try_emplace(key, step).second == model.try_emplace(key, step).second);
        break;
      case 2: CHECK(map.erase(key) == model.erase(key)); break;
      case 3:
        if (const auto at = map.find(key); at != map.end()) {
          CHECK(at->second == model.at(key));
          map.erase(at);
          model.erase(key);
        }
        break;
      default:
        if (rng.chance(0.01)) {
          map.clear();
          model.clear();
        }
    }
    CHECK(map.contains(key) == model.contains(key));
    CHECK(map.empty() == model.empty());
    REQUIRE(map.size() == model.size());
  }
  std::map<int, int> copied;
  for (const auto& [key, value] : map) copied[key] = value;
  CHECK(copied == model);
}

}  // namespace naru

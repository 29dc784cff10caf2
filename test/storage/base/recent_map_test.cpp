// test/storage/base/recent_map_test.cpp
//
// Goal: what was put last is there, what was put long ago is not, and the map does not grow.
// Method: more keys than it may have.

#include "storage/base/recent_map.hpp"

#include <catch2/catch.hpp>

namespace naru {

TEST_CASE("A recent map keeps what was put last", "[recent_map]") {
  RecentMap<int, int> map{10};
  CHECK(map.empty());
  for (int key = 0; key < 1000; ++key) {
    map.put(key) = key + 1;
    for (int last = key; last > key - 10 && last >= 0; --last) {
      REQUIRE(map.find(last) != nullptr);
      CHECK(*map.find(last) == last + 1);
    }
    CHECK(map.find(key - 20) == nullptr);
  }
  CHECK(map.put(999) == 1000);
}

TEST_CASE("What is erased from a recent map is gone", "[recent_map]") {
  RecentMap<int, int> map{2};
  for (int key = 0; key < 4; ++key) map.put(key) = key;
  for (int key = 0; key < 4; ++key) map.erase(key);
  CHECK(map.empty());
  map.erase(7);
}

}  // namespace naru

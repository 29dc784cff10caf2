// test/storage/kv/fault_kv_test.cpp
//
// Goal: FaultKv loses exactly what a real store may lose, and fails where it is told to.
// Method: commit numbered rows with chosen durability, strike, read back which are left.

#include "storage/kv/fault_kv.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace naru::storage {
namespace {

Result<void> put(FaultKv& store, const std::string& key, Durability durability) {
  Batch batch;
  batch.put(Family::meta, key, "");
  return store.commit(batch, durability);
}

std::string keys(const FaultKv& store) {
  std::string all;
  for (auto at = store.scan(Family::meta, "", ""); at->valid(); at->next()) all += at->key();
  return all;
}

// Written, synced, written, written: 1 2 | 3 4.
void fill(FaultKv& store) {
  REQUIRE(put(store, "1", Durability::written).has_value());
  REQUIRE(put(store, "2", Durability::synced).has_value());
  REQUIRE(put(store, "3", Durability::written).has_value());
  REQUIRE(put(store, "4", Durability::written).has_value());
}

}  // namespace

TEST_CASE("FaultKv keeps what was written when the process dies", "[kv]") {
  FaultKv store;
  fill(store);
  store.crash();
  CHECK(keys(store) == "1234");
  store.power_loss();  // Being started again syncs nothing.
  CHECK(keys(store) == "12");
}

TEST_CASE("FaultKv keeps a prefix that covers every synced commit on power loss", "[kv]") {
  FaultKv store;
  fill(store);
  const std::size_t kept = GENERATE(0u, 1u, 2u, 9u);
  store.power_loss(kept);
  CHECK(keys(store) == std::string{"1234"}.substr(0, 2 + std::min<std::size_t>(kept, 2)));
  CHECK(store.unsynced() == 0);
  REQUIRE(put(store, "5", Durability::synced).has_value());
  CHECK(keys(store).ends_with("5"));
}

TEST_CASE("FaultKv syncs all that was written before", "[kv]") {
  FaultKv store;
  fill(store);
  CHECK(store.unsynced() == 2);
  store.sync();
  store.power_loss();
  CHECK(keys(store) == "1234");
}

TEST_CASE("FaultKv fails the n-th commit and nothing of it stays", "[kv]") {
  FaultKv store;
  store.fail_commit(2, Errc::no_space);
  CHECK(put(store, "1", Durability::synced).has_value());
  CHECK(put(store, "2", Durability::synced).error().code == Errc::no_space);
  CHECK(put(store, "3", Durability::synced).has_value());
  CHECK(keys(store) == "13");
  CHECK(store.counts().commits == 3);
  CHECK(store.counts().failed == 1);
}

TEST_CASE("FaultKv stays broken after a failure of the disk until it is started again", "[kv]") {
  FaultKv store;
  store.fail_commit(1, Errc::io);
  CHECK(put(store, "1", Durability::synced).error().code == Errc::io);
  CHECK(put(store, "2", Durability::synced).error().code == Errc::io);
  store.crash();
  CHECK(put(store, "3", Durability::synced).has_value());
  CHECK(keys(store) == "3");
}

TEST_CASE("FaultKv refuses every commit until healed", "[kv]") {
  FaultKv store;
  store.fail_commits(Errc::no_space);
  CHECK_FALSE(put(store, "1", Durability::written).has_value());
  store.crash();
  CHECK_FALSE(put(store, "2", Durability::written).has_value());
  store.heal();
  CHECK(put(store, "3", Durability::written).has_value());
}

TEST_CASE("FaultKv answers from memory only when it is not cold", "[kv]") {
  FaultKv store;
  REQUIRE(put(store, "1", Durability::written).has_value());
  store.set_cold(true);
  CHECK(store.get(Family::meta, "1", Reach::cache).error().code == Errc::not_cached);
  CHECK(store.get(Family::meta, "1", Reach::disk).value().has_value());
  store.set_cold(false);
  CHECK(store.get(Family::meta, "1", Reach::cache).value().has_value());
}

}  // namespace naru::storage

// test/storage/kv/kv_contract_test.cpp
//
// Goal: MemKv, FaultKv and RocksKv do the same for whoever knows only KvStore.
// Method: every case runs against each of them, the rows read back through the interface alone.

#include <catch2/catch.hpp>

#include <functional>
#include <random>
#include <string>

#include "storage/kv/fault_kv.hpp"
#include "storage/kv/mem_kv.hpp"
#include "storage/kv/rocks_kv.hpp"
#include "test/storage/kv/scratch_directory.hpp"

namespace naru::storage {
namespace {

using namespace std::string_literals;

struct Subject {
  ScratchDirectory scratch;
  std::unique_ptr<KvStore> store;
};

Subject make_subject(const std::string& kind) {
  Subject made;
  if (kind == "MemKv") made.store = std::make_unique<MemKv>();
  if (kind == "FaultKv") made.store = std::make_unique<FaultKv>();
  if (kind == "RocksKv") {
    RocksOptions options;
    options.directory = made.scratch.path("store");
    options.write_buffer_bytes = 1 << 20;
    auto opened = RocksKv::open(options);
    REQUIRE(opened.has_value());
    made.store = std::move(*opened);
  }
  return made;
}

std::string any_kind() { return GENERATE("MemKv"s, "FaultKv"s, "RocksKv"s); }

std::string read_all(const KvStore& store, Family family, BytesView from = {}, BytesView to = {}) {
  std::string text;
  auto at = store.scan(family, from, to);
  for (; at->valid(); at->next()) {
    text.append(at->key()).append("=").append(at->value()).append(" ");
  }
  REQUIRE(at->status().has_value());
  return text;
}

void put(KvStore& store, Family family, BytesView key, BytesView value) {
  Batch batch;
  batch.put(family, key, value);
  REQUIRE(store.commit(batch, Durability::synced).has_value());
}

}  // namespace

TEST_CASE("KvStore reads back what was committed, family by family", "[kv]") {
  const auto subject = make_subject(any_kind());
  KvStore& store = *subject.store;
  Batch batch;
  batch.put(Family::session, "a", "1");
  batch.put(Family::cursor, "a", "2");
  batch.put(Family::session, ""s, "empty key");
  batch.put(Family::session, "empty value", "");
  batch.put(Family::session, "zero\0inside"s, "\0\xff"s);
  REQUIRE(store.commit(batch, GENERATE(Durability::written, Durability::synced)).has_value());

  CHECK(store.get(Family::session, "a").value() == "1"s);
  CHECK(store.get(Family::cursor, "a").value() == "2"s);
  CHECK(store.get(Family::session, "").value() == "empty key"s);
  CHECK(store.get(Family::session, "empty value").value() == ""s);
  CHECK(store.get(Family::session, "zero\0inside"s).value() == "\0\xff"s);
  CHECK_FALSE(store.get(Family::meta, "a").value().has_value());
  CHECK(store.get(Family::session, "a", Reach::cache).value() == "1"s);
}

TEST_CASE("KvStore applies the changes of a batch in their order", "[kv]") {
  const auto subject = make_subject(any_kind());
  KvStore& store = *subject.store;
  Batch batch;
  batch.put(Family::meta, "a", "first");
  batch.put(Family::meta, "a", "second");
  batch.put(Family::meta, "b", "gone");
  batch.erase(Family::meta, "b");
  batch.put(Family::meta, "c1", "gone");
  batch.erase_range(Family::meta, "c", "d");
  batch.put(Family::meta, "c2", "stays");
  batch.erase(Family::meta, "never there");
  batch.erase_range(Family::meta, "z", "b");  // Crossed ends: nothing.
  REQUIRE(store.commit(batch, Durability::written).has_value());
  CHECK(read_all(store, Family::meta) == "a=second c2=stays ");
}

TEST_CASE("KvStore scans from, up to but not, in unsigned byte order", "[kv]") {
  const auto subject = make_subject(any_kind());
  KvStore& store = *subject.store;
  Batch batch;
  for (const auto& key : {"b"s, "\xff"s, "a"s, "ab"s, "\x7f"s, "\x80"s, "c"s}) {
    batch.put(Family::ledger, key, "");
  }
  REQUIRE(store.commit(batch, Durability::written).has_value());
  CHECK(read_all(store, Family::ledger) == "a= ab= b= c= \x7f= \x80= \xff= ");
  CHECK(read_all(store, Family::ledger, "ab", "c") == "ab= b= ");
  CHECK(read_all(store, Family::ledger, "aa", "bb") == "ab= b= ");
  CHECK(read_all(store, Family::ledger, "c") == "c= \x7f= \x80= \xff= ");
  CHECK(read_all(store, Family::ledger, "b", "b").empty());
  CHECK(read_all(store, Family::ledger, "c", "a").empty());
  CHECK(read_all(store, Family::stream).empty());
}

TEST_CASE("KvStore shows an iterator the store as it was when the walk began", "[kv]") {
  const auto subject = make_subject(any_kind());
  KvStore& store = *subject.store;
  put(store, Family::meta, "a", "1");
  put(store, Family::meta, "b", "1");
  auto at = store.scan(Family::meta, "", "");
  Batch batch;
  batch.put(Family::meta, "a", "2");
  batch.erase(Family::meta, "b");
  batch.put(Family::meta, "c", "2");
  REQUIRE(store.commit(batch, Durability::written).has_value());

  REQUIRE(at->valid());
  CHECK(at->value() == "1");
  at->next();
  REQUIRE(at->valid());
  CHECK(at->key() == "b");
  at->next();
  CHECK_FALSE(at->valid());
  CHECK(read_all(store, Family::meta) == "a=2 c=2 ");
}

TEST_CASE("KvStore answers many keys in the order of the keys", "[kv]") {
  const auto subject = make_subject(any_kind());
  KvStore& store = *subject.store;
  put(store, Family::retained, "small", "1");
  put(store, Family::retained, "large", std::string(20000, 'x'));
  std::vector<Result<std::optional<Bytes>>> out{{Bytes{"stale"}}};
  const std::vector<Bytes> keys{"large", "missing", "small", "large"};
  store.get_many(Family::retained, keys, Reach::disk, out);
  REQUIRE(out.size() == 4);
  CHECK(out[0].value() == std::string(20000, 'x'));
  CHECK_FALSE(out[1].value().has_value());
  CHECK(out[2].value() == "1"s);
  CHECK(out[3].value() == out[0].value());
  store.get_many(Family::retained, {}, Reach::cache, out);
  CHECK(out.empty());
}

TEST_CASE("KvStore takes an empty batch", "[kv]") {
  const auto subject = make_subject(any_kind());
  CHECK(subject.store->commit({}, GENERATE(Durability::written, Durability::synced)).has_value());
}

TEST_CASE("FaultKv and RocksKv hold what the model holds after random batches", "[kv]") {
  const unsigned seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  std::mt19937 random{seed};
  const auto key = [&random] { return "k"s + std::to_string(random() % 40); };
  MemKv model;
  const auto fault = make_subject("FaultKv");
  const auto rocks = make_subject("RocksKv");
  for (int n = 0; n < 60; ++n) {
    Batch batch;
    for (auto changes = random() % 12; changes > 0; --changes) {
      const auto family = static_cast<Family>(random() % family_count);
      const auto kind = random() % 8;
      if (kind == 0) {
        batch.erase_range(family, key(), key());
      } else if (kind < 3) {
        batch.erase(family, key());
      } else {
        batch.put(family, key(), std::string(random() % 9000, static_cast<char>(random())));
      }
    }
    for (KvStore* store : {static_cast<KvStore*>(&model), fault.store.get(), rocks.store.get()}) {
      REQUIRE(store->commit(batch, Durability::written).has_value());
    }
  }
  for (std::size_t n = 0; n < family_count; ++n) {
    const auto family = static_cast<Family>(n);
    const auto expected = read_all(model, family);
    CHECK(read_all(*fault.store, family) == expected);
    CHECK(read_all(*rocks.store, family) == expected);
  }
}

}  // namespace naru::storage

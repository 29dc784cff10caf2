// test/tools/readable_rows_test.cpp
//
// Goal: a walk goes on right behind what is damaged, wherever that lies, and says what it passed
// over once. Method: a model store in which reading fails between two keys, as it does when a
// block of RocksDB has a wrong checksum.

#include "tools/naru/readable_rows.hpp"

#include <catch2/catch.hpp>

#include "storage/base/byte_writer.hpp"
#include "storage/kv/mem_kv.hpp"

namespace naru::tools {
namespace {

using namespace storage;  // NOLINT: rows and families.

struct Block {
  Bytes first, last;
};

class DamagedWalk final : public KvIterator {
 public:
  DamagedWalk(std::unique_ptr<KvIterator> at, const std::vector<Block>& damaged)
      : at_(std::move(at)), damaged_(damaged) {}

  bool valid() const override { return at_->valid() && damage() == nullptr; }
  BytesView key() const override { return at_->key(); }
  BytesView value() const override { return at_->value(); }
  void next() override { at_->next(); }
  Result<void> status() const override {
    const Block* const found = at_->valid() ? damage() : nullptr;
    if (found == nullptr) return {};
    return Error{Errc::corrupt, "block of " + found->first};
  }

 private:
  const Block* damage() const {
    for (const Block& each : damaged_) {
      if (at_->key() >= each.first && at_->key() <= each.last) return &each;
    }
    return nullptr;
  }

  std::unique_ptr<KvIterator> at_;
  const std::vector<Block>& damaged_;
};

class DamagedKv final : public KvStore {
 public:
  Result<std::optional<Bytes>> get(Family family, BytesView key, Reach reach) const override {
    for (const Block& each : damaged) {
      if (key >= each.first && key <= each.last) return Error{Errc::corrupt, "a block"};
    }
    return rows.get(family, key, reach);
  }
  std::unique_ptr<KvIterator> scan(Family family, BytesView from, BytesView to) const override {
    return std::make_unique<DamagedWalk>(rows.scan(family, from, to), damaged);
  }
  Result<void> commit(const Batch& batch, Durability durability) override {
    return rows.commit(batch, durability);
  }

  MemKv rows;
  std::vector<Block> damaged;
};

Bytes number_key(std::uint64_t number) {
  Bytes key;
  ByteWriter{key}.u64(number);
  return key;
}

Bytes topic_key(std::uint64_t number) {
  return "vehicles/car-" + std::to_string(number) + "/telemetry/battery";
}

using MakeKey = Bytes (*)(std::uint64_t);

std::vector<Bytes> keys_of(const KvStore& store) {
  std::vector<Bytes> keys;
  const auto at = store.scan(Family::journal, {}, {});
  for (; at->valid(); at->next()) keys.emplace_back(at->key());
  CHECK(at->status().has_value());
  return keys;
}

}  // namespace

TEST_CASE("A walk loses nothing but what is damaged", "[readable_rows]") {
  const auto key = GENERATE(MakeKey{number_key}, MakeKey{topic_key});
  const auto [first, last] = GENERATE(values<std::pair<std::uint64_t, std::uint64_t>>(
      {{1000, 1040}, {1255, 1256}, {1500, 1500}, {1300, 1999}, {1000, 1999}}));
  DamagedKv store;
  Batch batch;
  for (std::uint64_t n = 1000; n < 2000; ++n) batch.put(Family::journal, key(n), "x");
  REQUIRE(store.commit(batch, Durability::synced).has_value());
  store.damaged = {{key(first), key(last)}};
  std::vector<Bytes> expected;
  for (std::uint64_t n = 1000; n < 2000; ++n) {
    if (n < first || n > last) expected.push_back(key(n));
  }
  const ReadableRows readable{store};
  CHECK(keys_of(readable) == expected);
  CHECK(keys_of(readable) == expected);
  CHECK(readable.damages() ==
        std::vector<ReadableRows::Damage>{{Family::journal, "block of " + key(first)}});
}

TEST_CASE("A walk passes over several damaged blocks", "[readable_rows]") {
  DamagedKv store;
  Batch batch;
  for (std::uint64_t n = 1000; n < 2000; ++n) batch.put(Family::journal, number_key(n), "x");
  REQUIRE(store.commit(batch, Durability::synced).has_value());
  store.damaged = {{number_key(1100), number_key(1139)}, {number_key(1700), number_key(1719)}};
  const ReadableRows readable{store};
  CHECK(keys_of(readable).size() == 940);
  CHECK(readable.damages().size() == 2);
}

TEST_CASE("A damaged row is not there, and is told", "[readable_rows]") {
  DamagedKv store;
  Batch batch;
  batch.put(Family::journal, "a", "x");
  batch.put(Family::journal, "b", "y");
  REQUIRE(store.commit(batch, Durability::synced).has_value());
  store.damaged = {{"a", "a"}};
  const ReadableRows readable{store};
  CHECK_FALSE(readable.get(Family::journal, "a").value().has_value());
  CHECK(readable.get(Family::journal, "b").value() == Bytes{"y"});
  CHECK(readable.damages().size() == 1);
}

}  // namespace naru::tools

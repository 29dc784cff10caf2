// test/storage/kv/rocks_look_test.cpp
//
// Goal: a look reads all there is, changes nothing, and calls damage by its name. Method: a small
// store, closed, damaged and looked at, with all its bytes compared before and after.

#include "storage/kv/rocks_look.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "test/storage/kv/scratch_directory.hpp"

namespace naru::storage {
namespace {

namespace fs = std::filesystem;

RocksOptions small_options(const ScratchDirectory& scratch) {
  RocksOptions options;
  options.directory = scratch.path("store");
  options.write_buffer_bytes = 1 << 20;
  return options;
}

void fill(const RocksOptions& options, unsigned from, unsigned to, bool flushed) {
  auto store = RocksKv::open(options);
  REQUIRE(store.has_value());
  for (unsigned n = from; n < to; ++n) {
    Batch batch;
    batch.put(Family::journal, "row " + std::to_string(n + 10'000), Bytes(100, 'v'));
    REQUIRE((*store)->commit(batch, Durability::written).has_value());
  }
  if (flushed) REQUIRE((*store)->flush().has_value());
}

std::unique_ptr<RocksLook> look_at(const RocksOptions& options) {
  auto opened = RocksLook::open(options);
  if (!opened) FAIL(opened.error().text);
  return std::move(*opened);
}

std::map<std::string, Bytes> contents(const RocksOptions& options) {
  std::map<std::string, Bytes> found;
  for (const auto& entry : fs::directory_iterator{options.directory}) {
    std::ifstream in{entry.path(), std::ios::binary};
    found[entry.path().filename().string()] = Bytes{std::istreambuf_iterator<char>{in}, {}};
  }
  return found;
}

fs::path largest(const RocksOptions& options, const std::string& extension) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator{options.directory}) {
    if (entry.path().extension() != extension) continue;
    if (found.empty() || entry.file_size() > fs::file_size(found)) found = entry.path();
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

}  // namespace

TEST_CASE("RocksLook reads files and log, and changes nothing", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  fill(options, 0, 100, true);
  fill(options, 100, 150, false);
  const auto before = contents(options);
  {
    const auto look = look_at(options);
    unsigned n = 0;
    const auto at = look->scan(Family::journal, {}, {});
    for (; at->valid(); at->next()) ++n;
    CHECK(at->status().has_value());
    CHECK(n == 150);
    CHECK(look->get(Family::journal, "row 10149").value() == Bytes(100, 'v'));
    CHECK_FALSE(look->get(Family::meta, "row 10149").value().has_value());
    Batch batch;
    batch.put(Family::meta, "a", "b");
    CHECK(look->commit(batch, Durability::synced).error().code == Errc::refused);
    CHECK(RocksKv::open(options).error().code == Errc::busy);
  }
  CHECK(contents(options) == before);
  CHECK(RocksKv::open(options).has_value());
}

TEST_CASE("RocksLook finds no store where there is none, and makes none", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  CHECK(RocksLook::open(options).error().code == Errc::not_found);
  CHECK_FALSE(fs::exists(options.directory));
}

TEST_CASE("RocksLook does not look at a store in use", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  const auto store = RocksKv::open(options);
  REQUIRE(store.has_value());
  CHECK(RocksLook::open(options).error().code == Errc::busy);
}

TEST_CASE("RocksLook calls what a scan or a read finds damaged corrupt", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  fill(options, 0, 2000, true);
  {
    std::fstream file{largest(options, ".sst"), std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(200);
    file << Bytes(100, 'x');
  }
  const auto before = contents(options);
  {
    const auto look = look_at(options);
    CHECK(look->get(Family::journal, "row 10000").error().code == Errc::corrupt);
    const auto at = look->scan(Family::journal, {}, {});
    CHECK_FALSE(at->valid());
    CHECK(at->status().error().code == Errc::corrupt);
  }
  CHECK(contents(options) == before);
}

TEST_CASE("RocksLook calls rows without their manifest corrupt", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  fill(options, 0, 100, true);
  const bool pointer = GENERATE(false, true);
  for (const auto& [name, bytes] : contents(options)) {
    if (name.starts_with(pointer ? "CURRENT" : "MANIFEST")) {
      fs::remove(options.directory + "/" + name);
    }
  }
  const auto before = contents(options);
  CHECK(RocksLook::open(options).error().code == Errc::corrupt);
  CHECK(contents(options) == before);
}

}  // namespace naru::storage

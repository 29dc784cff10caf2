// test/storage/kv/rocks_kv_test.cpp
//
// Goal: RocksKv keeps what its commits promised, and calls each failure to open by its name.
// Method: fill a small store, close it, damage its files byte by byte, open it again.

#include "storage/kv/rocks_kv.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "storage/base/crc32c.hpp"
#include "storage/kv/power_loss_fs.hpp"
#include "test/storage/kv/scratch_directory.hpp"

namespace naru::storage {
namespace {

using namespace std::string_literals;
namespace fs = std::filesystem;

RocksOptions small_options(const ScratchDirectory& scratch) {
  RocksOptions options;
  options.directory = scratch.path("store");
  options.write_buffer_bytes = 1 << 20;
  return options;
}

std::unique_ptr<RocksKv> open(const RocksOptions& options) {
  auto opened = RocksKv::open(options);
  if (!opened) FAIL(opened.error().text);
  return std::move(*opened);
}

Bytes key_of(unsigned n) {
  auto digits = std::to_string(n);
  return Bytes(6 - digits.size(), '0') + digits;
}

void put(KvStore& store, unsigned n, Durability durability, Family family = Family::meta,
         std::size_t size = 100) {
  Batch batch;
  batch.put(family, key_of(n), Bytes(size, 'v'));
  REQUIRE(store.commit(batch, durability).has_value());
}

// How many rows there are; they must be the first ones.
unsigned count_prefix(const KvStore& store, Family family = Family::meta) {
  unsigned n = 0;
  auto at = store.scan(family, "", "");
  for (; at->valid(); at->next(), ++n) CHECK(at->key() == key_of(n));
  CHECK(at->status().has_value());
  return n;
}

fs::path newest(const RocksOptions& options, const std::string& extension) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator{options.directory}) {
    const auto& path = entry.path();
    if (path.extension() == extension && path > found) found = path;
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

fs::path manifest_of(const RocksOptions& options) {
  for (const auto& entry : fs::directory_iterator{options.directory}) {
    if (entry.path().filename().string().starts_with("MANIFEST")) return entry.path();
  }
  FAIL("no manifest");
  return {};
}

// As RocksDB appends to its logs: masked checksum, length, kind "whole", bytes.
void append_log_record(const fs::path& path, const Bytes& record) {
  const auto sum = crc32c("\1"s + record);
  const auto masked = ((sum >> 15) | (sum << 17)) + 0xa282ead8u;
  Bytes head;
  for (unsigned shift = 0; shift < 32; shift += 8) head += static_cast<char>(masked >> shift);
  head += static_cast<char>(record.size());
  head += "\0\1"s;
  std::ofstream{path, std::ios::app | std::ios::binary} << head << record;
}

void flip_bytes(const fs::path& path, std::uint64_t at, std::size_t count) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  for (std::size_t n = 0; n < count; ++n) {
    file.seekg(static_cast<std::streamoff>(at + n));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at + n));
    file.put(static_cast<char>(~byte));
  }
  REQUIRE(file.good());
}

// Rows whose key ends in an even digit are no longer wanted.
class EvenRows final : public RowFilter {
 public:
  bool droppable(Family, BytesView key, BytesView) const override {
    return (key.back() - '0') % 2 == 0;
  }
};

}  // namespace

TEST_CASE("RocksKv has everything again when it is reopened", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  const bool flushed = GENERATE(false, true);
  {
    const auto store = open(options);
    for (unsigned n = 0; n < 100; ++n) put(*store, n, Durability::written);
    put(*store, 0, Durability::synced, Family::retained, 100000);
    if (flushed) REQUIRE(store->flush().has_value());
  }
  const auto store = open(options);
  CHECK(count_prefix(*store) == 100);
  CHECK(store->get(Family::retained, key_of(0)).value() == Bytes(100000, 'v'));
}

TEST_CASE("RocksKv says when another process has the store, and how to go on", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  const auto store = open(options);
  const auto second = RocksKv::open(options);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Errc::busy);
  CHECK(second.error().text.find("stop the other process") != std::string::npos);
}

TEST_CASE("RocksKv calls a directory it cannot make an IO error", "[rocks]") {
  const ScratchDirectory scratch;
  RocksOptions options;
  options.directory = scratch.path("missing/store");
  CHECK(RocksKv::open(options).error().code == Errc::io);
}

TEST_CASE("RocksKv drops the torn end of a log and keeps what is before", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  {
    const auto store = open(options);
    for (unsigned n = 0; n < 100; ++n) put(*store, n, Durability::written);
  }
  const auto log = newest(options, ".log");
  fs::resize_file(log, fs::file_size(log) - GENERATE(1u, 30u, 119u));
  CHECK(count_prefix(*open(options)) == 99);
}

TEST_CASE("RocksKv calls damage in the middle of a log corrupt", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  {
    const auto store = open(options);
    for (unsigned n = 0; n < 2000; ++n) put(*store, n, Durability::written);
  }
  flip_bytes(newest(options, ".log"), 100000, 8);
  const auto again = RocksKv::open(options);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == Errc::corrupt);
}

TEST_CASE("RocksKv calls damaged and missing files corrupt", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  {
    const auto store = open(options);
    for (unsigned n = 0; n < 2000; ++n) put(*store, n, Durability::written);
    REQUIRE(store->flush().has_value());
  }
  const auto damage = GENERATE("no sst"s, "short sst"s, "no manifest"s, "no current"s, "manifest"s);
  CAPTURE(damage);
  const auto table = newest(options, ".sst");
  const auto manifest = manifest_of(options);
  if (damage == "no sst") fs::remove(table);
  if (damage == "short sst") fs::resize_file(table, fs::file_size(table) / 2);
  if (damage == "no manifest") fs::remove(manifest);
  if (damage == "no current") fs::remove(options.directory + "/CURRENT");
  if (damage == "manifest") flip_bytes(manifest, 20, 4);
  const auto again = RocksKv::open(options);
  REQUIRE_FALSE(again.has_value());
  INFO(again.error().text);
  CHECK(again.error().code == Errc::corrupt);
  CHECK(fs::exists(table) == (damage != "no sst"));  // Left as it was.
}

TEST_CASE("RocksKv never returns a row from a damaged block", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  {
    const auto store = open(options);
    for (unsigned n = 0; n < 2000; ++n) put(*store, n, Durability::written);
    REQUIRE(store->flush().has_value());
  }
  flip_bytes(newest(options, ".sst"), 100, 8);
  const auto store = open(options);
  // At run time damage is no reason to give up the store: the process ends and asks a person.
  CHECK(store->get(Family::meta, key_of(0)).error().code == Errc::io);
  auto at = store->scan(Family::meta, "", "");
  CHECK_FALSE(at->valid());
  CHECK(at->status().error().code == Errc::io);
}

TEST_CASE("RocksKv does not open what a newer release wrote", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  open(options).reset();
  // A family nobody here knows: {id 9, name, comparator}; or an edit of an unknown kind.
  const auto edit =
      GENERATE("\xc8\1\x9\xc9\1\6future\1\x1aleveldb.BytewiseComparator\xcb\1\x9"s, "\x7f\1x"s);
  const auto manifest = manifest_of(options);
  append_log_record(manifest, edit);
  const auto size = fs::file_size(manifest);
  const auto again = RocksKv::open(options);
  REQUIRE_FALSE(again.has_value());
  INFO(again.error().text);
  CHECK(again.error().code == Errc::newer);
  CHECK(fs::file_size(manifest) == size);
}

TEST_CASE("RocksKv answers from memory alone when asked to", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  const auto size = GENERATE(std::size_t{100}, std::size_t{10000});  // In the table, in a blob.
  {
    const auto store = open(options);
    put(*store, 0, Durability::written, Family::journal, size);
    CHECK(store->get(Family::journal, key_of(0), Reach::cache).value().has_value());
    REQUIRE(store->flush().has_value());
  }
  const auto store = open(options);
  CHECK(store->get(Family::journal, key_of(0), Reach::cache).error().code == Errc::not_cached);
  std::vector<Result<std::optional<Bytes>>> out;
  const std::vector<Bytes> keys{key_of(0), key_of(1)};
  store->get_many(Family::journal, keys, Reach::cache, out);
  CHECK(out[0].error().code == Errc::not_cached);
  store->get_many(Family::journal, keys, Reach::disk, out);
  CHECK(out[0].value() == Bytes(size, 'v'));
  CHECK_FALSE(out[1].value().has_value());
  CHECK(store->get(Family::journal, key_of(0), Reach::cache).value() == Bytes(size, 'v'));
}

TEST_CASE("RocksKv takes a row of a table that is not open for one it does not know", "[rocks]") {
  ScratchDirectory scratch;
  RocksOptions options = small_options(scratch);
  options.open_files_max = 20;  // Half of them for tables.
  constexpr unsigned tables = 40;
  auto store = open(options);
  for (unsigned n = 0; n < tables; ++n) {
    put(*store, n, Durability::synced, Family::journal);
    REQUIRE(store->flush().has_value());
  }
  store.reset();
  store = open(options);
  for (unsigned n = 0; n < tables; ++n) {
    const auto row = store->get(Family::journal, key_of(n), Reach::cache);
    CHECK((row ? *row == Bytes(100, 'v') : row.error().code == Errc::not_cached));
    CHECK(store->get(Family::journal, key_of(n)).value() == Bytes(100, 'v'));
  }
}

TEST_CASE("RocksKv drops what the filter no longer wants when it flushes", "[rocks]") {
  const ScratchDirectory scratch;
  const EvenRows filter;
  auto options = small_options(scratch);
  options.filter = &filter;
  const auto store = open(options);
  const auto size = GENERATE(std::size_t{10}, std::size_t{10000});
  for (const auto family : {Family::journal, Family::stream, Family::session}) {
    put(*store, 1, Durability::written, family, size);
    put(*store, 2, Durability::written, family, size);
  }
  CHECK(store->get(Family::journal, key_of(2)).value().has_value());
  REQUIRE(store->flush().has_value());
  const auto has = [&](Family family, unsigned n) {
    return store->get(family, key_of(n)).value().has_value();
  };
  for (const auto family : {Family::journal, Family::stream}) {
    CHECK(has(family, 1));
    CHECK_FALSE(has(family, 2));
  }
  CHECK(has(Family::session, 2));  // Not asked about other families.
}

TEST_CASE("RocksKv drops what the filter no longer wants when it compacts", "[rocks]") {
  const ScratchDirectory scratch;
  auto options = small_options(scratch);
  {
    const auto store = open(options);
    for (unsigned n = 0; n < 10; ++n) put(*store, n, Durability::written, Family::journal);
    REQUIRE(store->flush().has_value());
  }
  const EvenRows filter;
  options.filter = &filter;
  const auto store = open(options);
  CHECK(store->get(Family::journal, key_of(2)).value().has_value());
  REQUIRE(store->compact(Family::journal, "", "").has_value());
  CHECK_FALSE(store->get(Family::journal, key_of(2)).value().has_value());
  CHECK(store->get(Family::journal, key_of(3)).value().has_value());
}

TEST_CASE("RocksKv drops whole files of a range", "[rocks]") {
  const ScratchDirectory scratch;
  const auto store = open(small_options(scratch));
  for (unsigned n = 0; n < 20; ++n) put(*store, n, Durability::written, Family::stream);
  REQUIRE(store->flush().has_value());
  REQUIRE(store->compact(Family::stream, "", "").has_value());  // Files of level 0 are left alone.
  for (unsigned n = 20; n < 40; ++n) put(*store, n, Durability::written, Family::stream);
  REQUIRE(store->drop_files(Family::stream, key_of(0), key_of(30)).has_value());
  CHECK_FALSE(store->get(Family::stream, key_of(0)).value().has_value());
  CHECK(store->get(Family::stream, key_of(20)).value().has_value());
}

TEST_CASE("RocksKv copies itself into a checkpoint that opens", "[rocks]") {
  const ScratchDirectory scratch;
  auto options = small_options(scratch);
  const auto store = open(options);
  for (unsigned n = 0; n < 50; ++n) put(*store, n, Durability::written);
  REQUIRE(store->checkpoint(scratch.path("copy")).has_value());
  put(*store, 50, Durability::written);
  CHECK_FALSE(store->checkpoint(scratch.path("copy")).has_value());
  options.directory = scratch.path("copy");
  CHECK(count_prefix(*open(options)) == 50);
}

TEST_CASE("RocksKv makes a checkpoint without a warning", "[rocks]") {
  const ScratchDirectory scratch;
  auto options = small_options(scratch);
  std::vector<std::string> warnings;
  options.on_warning = [&](int, std::string_view text) { warnings.emplace_back(text); };
  const auto store = open(options);
  put(*store, 0, Durability::written);
  REQUIRE(store->checkpoint(scratch.path("copy")).has_value());
  CHECK(warnings.empty());
}

TEST_CASE("RocksKv keeps its log within bounds and reports it", "[rocks]") {
  const ScratchDirectory scratch;
  const auto options = small_options(scratch);
  const auto store = open(options);
  for (unsigned n = 0; n < 2000; ++n) put(*store, n, Durability::written, Family::meta, 4000);
  REQUIRE(store->sync_wal().has_value());
  REQUIRE(store->flush().has_value());
  const auto stats = store->stats();
  CHECK(stats.wal_bytes < 3 * options.write_buffer_bytes);
  CHECK(stats.live_bytes > 0);
  CHECK(stats.free_bytes > 0);
  CHECK_FALSE(stats.writes_stopped);
  CHECK(count_prefix(*store) == 2000);
}

TEST_CASE("RocksKv loses only what was not synced when the power goes", "[rocks][power]") {
  const ScratchDirectory scratch;
  auto options = small_options(scratch);
  PowerLossFs power;
  options.file_system = power.file_system();
  const unsigned synced = GENERATE(1u, 10u, 3000u);  // The last: several logs and tables.
  const bool flushed = GENERATE(false, true);
  {
    const auto store = open(options);
    for (unsigned n = 0; n < synced; ++n) {
      put(*store, n, n + 1 == synced ? Durability::synced : Durability::written, Family::meta, 900);
    }
    if (flushed) REQUIRE(store->flush().has_value());
    for (unsigned n = 0; n < 20; ++n) put(*store, synced + n, Durability::written);
    power.drop_unsynced();
  }
  options.file_system = nullptr;
  CHECK(count_prefix(*open(options)) == synced);
}

TEST_CASE("RocksKv has nothing yet when the power goes before the first sync", "[rocks][power]") {
  const ScratchDirectory scratch;
  auto options = small_options(scratch);
  PowerLossFs power;
  options.file_system = power.file_system();
  {
    const auto store = open(options);
    put(*store, 0, Durability::written);
    power.drop_unsynced();
  }
  options.file_system = nullptr;
  CHECK(count_prefix(*open(options)) == 0);
}

}  // namespace naru::storage

// tools/naru/mosquitto_import.cpp
#include "tools/naru/mosquitto_import.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "storage/kv/rocks_kv.hpp"
#include "tools/naru/store_check.hpp"

namespace naru::tools {
namespace {

namespace fs = std::filesystem;

Result<Bytes> read_file(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in) return Error{Errc::not_found, "cannot read " + path};
  Bytes bytes{std::istreambuf_iterator<char>{in}, {}};
  if (in.bad()) return Error{Errc::io, "cannot read " + path};
  return bytes;
}

// What a start would read is what was written.
Result<void> check(const storage::KvStore& store, const ImportCounts& counts) {
  const auto found = check_rows(store);
  if (!found) return found.error();
  const bool good = found->missing == 0 && found->unreadable == 0 &&
                    found->sessions == counts.sessions && found->queued == counts.queued;
  if (good) return {};
  return Error{Errc::io, "what was written does not read back: " + std::to_string(found->sessions) +
                             " sessions and " + std::to_string(found->queued) +
                             " queued messages of " + std::to_string(counts.sessions) + " and " +
                             std::to_string(counts.queued)};
}

Result<ImportCounts> fill(const MosquittoDb& db, const fs::path& store,
                          const ImportProgress& progress) {
  storage::RocksOptions options;
  options.directory = store.string();
  auto opened = storage::RocksKv::open(options);
  if (!opened) return opened.error();
  std::random_device device;
  std::uint64_t node = 0;
  while (node == 0) node = std::uint64_t{device()} << 32 | device();
  const SystemClock clock;
  const auto counts = import_rows(db, **opened, {clock.wall(), node}, progress);
  if (!counts) return counts.error();
  const auto checked = check(**opened, *counts);
  if (!checked) return checked.error();
  const auto flushed = (*opened)->flush();
  if (!flushed) return flushed.error();
  return *counts;
}

}  // namespace

Result<ImportCounts> import_mosquitto_db(const std::string& file, const std::string& data,
                                         const ImportProgress& progress) {
  const auto bytes = read_file(file);
  if (!bytes) return bytes.error();
  const auto db = decode_mosquitto_db(*bytes);
  if (!db) return Error{db.error().code, file + ": " + db.error().text};
  std::error_code error;
  if (fs::exists(data, error) && !fs::is_empty(data, error)) {
    return Error{Errc::refused, data + " is not empty; import into a directory that is"};
  }
  const fs::path partial = fs::path{data} / "store.partial";
  fs::create_directories(data, error);
  if (error) return Error{Errc::io, data + ": " + error.message()};
  auto counts = fill(*db, partial, progress);
  if (counts) {
    fs::rename(partial, fs::path{data} / "store", error);
    if (!error) return *counts;
    counts = Error{Errc::io, data + ": " + error.message()};
  }
  fs::remove_all(partial, error);
  return counts.error();
}

}  // namespace naru::tools

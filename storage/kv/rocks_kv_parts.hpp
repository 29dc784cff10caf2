// storage/kv/rocks_kv_parts.hpp
//
// What the rocks_kv*.cpp files share and nobody else may see: RocksDB's types.
//
// Edge. Lives on the threads rocks_kv.hpp names. Owned by RocksKv.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/kv/rocks_kv.hpp"
#include "storage/kv/rocks_kv_spare.hpp"

namespace naru::storage {

// By Family, as in batch.hpp. RocksDB insists on "default" besides; it stays empty.
inline constexpr std::array<const char*, family_count> family_names = {
    "journal", "session", "cursor", "inbound", "retained", "ledger", "stream", "meta"};

inline rocksdb::Slice to_slice(BytesView bytes) { return {bytes.data(), bytes.size()}; }
inline BytesView to_view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// At run time: never Errc::corrupt, which would invite to replace the store.
Error to_error(const rocksdb::Status& status, const char* what);
Error to_open_error(const rocksdb::Status& status, const std::string& directory);

using ErrorOf = std::function<Error(const rocksdb::Status&, const char* what)>;
Result<std::optional<Bytes>> to_answer(const rocksdb::Status& status,
                                       const rocksdb::PinnableSlice& value,
                                       const ErrorOf& error_of);
std::unique_ptr<KvIterator> make_iterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                          BytesView from, BytesView to, ErrorOf error_of);

// The options with nothing left to choose.
struct Sizes {
  std::uint64_t write_buffers;
  std::uint64_t wal_max;
  std::uint64_t spare;
};
Sizes sizes_for(const RocksOptions& options);
rocksdb::DBOptions db_options(const RocksOptions& options, const Sizes& sizes);
// By Family, then "default".
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(
    const RocksOptions& options, const Sizes& sizes, const std::shared_ptr<rocksdb::Cache>& cache);
// RocksDB would start afresh where only the pointer to the manifest is lost, and delete the rows.
// A lone manifest, though, is a first start that was cut off.
bool lost_its_pointer(const std::string& directory);

std::shared_ptr<rocksdb::CompactionFilterFactory> make_filter_factory(const RowFilter& filter,
                                                                      Family family);

struct RocksKv::Parts {
  ~Parts();

  rocksdb::ColumnFamilyHandle* family(Family which) const {
    return families[static_cast<std::size_t>(which)];
  }

  void add(const Batch::Change& change);      // To `batch`.
  Result<void> write(Durability durability);  // What is in `batch`.

  // Members in the order in which they must outlive one another.
  std::shared_ptr<SpareFileSystem> file_system;
  std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  std::shared_ptr<rocksdb::Cache> cache;
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // By Family, then "default".
  rocksdb::WriteBatch batch;                           // Kept for its memory.
  bool broken = false;  // A commit failed in a way that leaves the log's end in doubt.
};

}  // namespace naru::storage

// storage/kv/rocks_kv.cpp: reads, commits and upkeep of an open store.

#include "storage/kv/rocks_kv.hpp"

#include <rocksdb/convenience.h>
#include <rocksdb/utilities/checkpoint.h>

#include <utility>

#include "storage/base/check.hpp"
#include "storage/kv/rocks_kv_parts.hpp"

namespace naru::storage {
namespace {

// Room that must be left after a batch, beyond what the write buffers need: manifest, new log.
constexpr std::uint64_t margin_bytes = std::uint64_t{256} << 10;

// The disk is full, and RocksDB can go on when it is not.
bool is_full(const rocksdb::Status& status) {
  // A write that waited for a flush in vain gets the flush's error as mere text.
  if (status.IsIncomplete()) return status.ToString().find("No space left") != std::string::npos;
  return status.IsNoSpace() && status.severity() < rocksdb::Status::Severity::kFatalError;
}

rocksdb::ReadOptions read_options(Reach reach) {
  rocksdb::ReadOptions read;
  if (reach == Reach::cache) read.read_tier = rocksdb::kBlockCacheTier;
  return read;
}

Result<void> to_result(const rocksdb::Status& status, const char* what) {
  if (status.ok()) return {};
  return to_error(status, what);
}

class RocksIterator final : public KvIterator {
 public:
  RocksIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, BytesView from, BytesView to,
                ErrorOf error_of)
      : error_of_(std::move(error_of)), end_(to), end_slice_(end_) {
    rocksdb::ReadOptions read;
    read.fill_cache = false;  // A long walk would push out what shards read again and again.
    if (!end_.empty()) read.iterate_upper_bound = &end_slice_;
    at_.reset(db.NewIterator(read, family));
    // RocksDB asserts that a walk does not begin behind its end.
    if (!end_.empty() && from >= end_) return;
    at_->Seek(to_slice(from));
  }

  bool valid() const override { return at_->Valid(); }
  BytesView key() const override { return to_view(at_->key()); }
  BytesView value() const override { return to_view(at_->value()); }
  void next() override { at_->Next(); }
  Result<void> status() const override {
    const rocksdb::Status status = at_->status();
    if (status.ok()) return {};
    return error_of_(status, "scan");
  }

 private:
  const ErrorOf error_of_;
  const Bytes end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> at_;
};

}  // namespace

Result<std::optional<Bytes>> to_answer(const rocksdb::Status& status,
                                       const rocksdb::PinnableSlice& value,
                                       const ErrorOf& error_of) {
  if (status.ok()) return std::optional<Bytes>{value.ToString()};
  if (status.IsNotFound()) return std::optional<Bytes>{};
  if (status.IsIncomplete()) {
    return Error{Errc::not_cached, "the row may be on disk only; ask with Reach::disk"};
  }
  return error_of(status, "read");
}

std::unique_ptr<KvIterator> make_iterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                          BytesView from, BytesView to, ErrorOf error_of) {
  return std::make_unique<RocksIterator>(db, family, from, to, std::move(error_of));
}

Error to_error(const rocksdb::Status& status, const char* what) {
  const std::string text = std::string{"store: "} + what + " failed (" + status.ToString() + ")";
  if (is_full(status)) {
    return {Errc::no_space, text + "; free some room on its disk"};
  }
  return {Errc::io, text};
}

RocksKv::Parts::~Parts() {
  if (!db) return;
  for (rocksdb::ColumnFamilyHandle* handle : families) delete handle;
  // Every commit is in the log; a failure to close costs nothing but time at the next start.
  db->Close().PermitUncheckedError();
}

RocksKv::RocksKv(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RocksKv::~RocksKv() = default;

Result<std::optional<Bytes>> RocksKv::get(Family family, BytesView key, Reach reach) const {
  rocksdb::PinnableSlice value;
  const auto status =
      parts_->db->Get(read_options(reach), parts_->family(family), to_slice(key), &value);
  // Of a table that is not open RocksDB only says that the row may be there: by an empty value.
  const bool may_be = reach == Reach::cache && status.ok() && value.empty();
  return to_answer(may_be ? rocksdb::Status::Incomplete() : status, value, to_error);
}

void RocksKv::get_many(Family family, std::span<const Bytes> keys, Reach reach,
                       std::vector<Result<std::optional<Bytes>>>& out) const {
  // RocksDB 7.8's MultiGet goes to the disk even when told not to.
  if (reach == Reach::cache) return KvStore::get_many(family, keys, reach, out);
  std::vector<rocksdb::Slice> slices{keys.begin(), keys.end()};
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  parts_->db->MultiGet(read_options(reach), parts_->family(family), keys.size(), slices.data(),
                       values.data(), statuses.data());
  out.clear();
  out.reserve(keys.size());
  for (std::size_t n = 0; n < keys.size(); ++n) {
    out.push_back(to_answer(statuses[n], values[n], to_error));
  }
}

std::unique_ptr<KvIterator> RocksKv::scan(Family family, BytesView from, BytesView to) const {
  return make_iterator(*parts_->db, parts_->family(family), from, to, to_error);
}

Result<void> RocksKv::commit(const Batch& batch, Durability durability) {
  if (parts_->broken) {
    return Error{Errc::io, "store: an earlier commit failed; start again to recover"};
  }
  if (batch.empty()) return durability == Durability::synced ? sync_wal() : Result<void>{};

  SpareFileSystem& files = *parts_->file_system;
  // What is in memory must still find its way to disk, and the batch goes to disk twice.
  const std::uint64_t needed =
      parts_->write_buffers->memory_usage() + 2 * batch.size_bytes() + margin_bytes;
  if (!files.fill_spare() || files.free_bytes() < needed) {
    return Error{Errc::no_space, "store: the disk is full; free some room on it"};
  }

  parts_->batch.Clear();
  batch.each([this](const Batch::Change& change) { parts_->add(change); });
  return parts_->write(durability);
}

Result<void> RocksKv::Parts::write(Durability durability) {
  rocksdb::WriteOptions how;
  how.sync = durability == Durability::synced;
  const std::uint64_t logged = file_system->log_bytes_appended();
  const auto nothing_logged = [&] { return file_system->log_bytes_appended() == logged; };

  auto status = db->Write(how, &batch);
  // A flush that found the disk full stops all writes; by now there is room again.
  if (is_full(status) && nothing_logged() && db->Resume().ok()) status = db->Write(how, &batch);
  if (status.ok()) return {};

  Error error = to_error(status, "commit");
  // Refused means that nothing is there; once the log has taken bytes nobody can promise that.
  if (!nothing_logged()) error.code = Errc::io;
  broken = error.code != Errc::no_space;
  return error;
}

void RocksKv::Parts::add(const Batch::Change& change) {
  rocksdb::ColumnFamilyHandle* const into = family(change.family);
  rocksdb::Status status;
  switch (change.op) {
    case Batch::Op::put:
      status = batch.Put(into, to_slice(change.key), to_slice(change.value));
      break;
    case Batch::Op::erase: status = batch.Delete(into, to_slice(change.key)); break;
    case Batch::Op::erase_range:
      // RocksDB takes a range with crossed ends for damage.
      if (change.key >= change.value) return;
      status = batch.DeleteRange(into, to_slice(change.key), to_slice(change.value));
      break;
    case Batch::Op::put_numbered: NARU_CHECK(change.op != Batch::Op::put_numbered);
  }
  NARU_CHECK(status.ok());
}

Result<void> RocksKv::sync_wal() { return to_result(parts_->db->FlushWAL(true), "sync"); }

Result<void> RocksKv::flush() {
  return to_result(parts_->db->Flush({}, parts_->families), "flush");
}

Result<void> RocksKv::compact(Family family, BytesView from, BytesView to) {
  const rocksdb::Slice begin = to_slice(from);
  const rocksdb::Slice end = to_slice(to);
  rocksdb::CompactRangeOptions how;
  how.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const auto status =
      parts_->db->CompactRange(how, parts_->family(family), &begin, to.empty() ? nullptr : &end);
  return to_result(status, "compaction");
}

Result<void> RocksKv::drop_files(Family family, BytesView from, BytesView to) {
  const rocksdb::Slice begin = to_slice(from);
  const rocksdb::Slice end = to_slice(to);
  return to_result(
      rocksdb::DeleteFilesInRange(parts_->db.get(), parts_->family(family), &begin, &end),
      "dropping files");
}

Result<void> RocksKv::checkpoint(const std::string& directory) {
  rocksdb::Checkpoint* made = nullptr;
  const auto status = rocksdb::Checkpoint::Create(parts_->db.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint{made};
  if (!status.ok()) return to_error(status, "checkpoint");
  return to_result(checkpoint->CreateCheckpoint(directory), "checkpoint");
}

RocksKv::Stats RocksKv::stats() const {
  rocksdb::DB& db = *parts_->db;
  Stats stats;
  stats.wal_bytes = parts_->file_system->log_bytes_alive();
  stats.write_buffer_bytes = parts_->write_buffers->memory_usage();
  stats.free_bytes = parts_->file_system->free_bytes();
  using Properties = rocksdb::DB::Properties;
  std::uint64_t blob_bytes = 0;
  std::uint64_t stopped = 0;
  db.GetAggregatedIntProperty(Properties::kEstimateLiveDataSize, &stats.live_bytes);
  for (const Family family : {Family::journal, Family::stream, Family::retained}) {
    if (db.GetIntProperty(parts_->family(family), Properties::kLiveBlobFileSize, &blob_bytes)) {
      stats.live_bytes += blob_bytes;
    }
  }
  db.GetIntProperty(Properties::kActualDelayedWriteRate, &stats.write_rate_max);
  db.GetIntProperty(Properties::kIsWriteStopped, &stopped);
  stats.writes_stopped = stopped != 0;
  return stats;
}

std::vector<RocksKv::FamilyStats> RocksKv::family_stats() const {
  using Properties = rocksdb::DB::Properties;
  std::vector<FamilyStats> all;
  for (std::size_t n = 0; n < family_count; ++n) {
    FamilyStats& family = all.emplace_back();
    family.name = family_names[n];
    const auto read = [&](const std::string& property) {
      std::uint64_t value = 0;
      parts_->db->GetIntProperty(parts_->families[n], property, &value);
      return value;
    };
    family.rows = read(Properties::kEstimateNumKeys);
    family.bytes = read(Properties::kTotalSstFilesSize) + read(Properties::kTotalBlobFileSize) +
                   read(Properties::kCurSizeAllMemTables);
  }
  return all;
}

}  // namespace naru::storage

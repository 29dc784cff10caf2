// storage/kv/rocks_kv.hpp
//
// RocksKv is the KvStore on disk: one RocksDB, one column family for each Family.
//
// Edge: files, and RocksDB's two background threads. Lives on: reads and stats() on any thread;
// commit(), sync_wal(), flush() and the rest on one thread at a time, the committer's.
// Owned by the composition root; must outlive its iterators. Holds the RowFilter by pointer.
// Bounded by the options below, all of which scale down with the file system.
//
// A full disk: commit() looks for room before it writes, so that a batch is refused whole with
// no_space and nothing of it is on disk; the next commit that finds room succeeds. A file of
// spare bytes ("spare") covers whoever else takes the room in between. A flush in the background
// that ran out of room is tried again by the commit that finds it.
// After any error but no_space commits are refused for good: the log's end is in doubt.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/kv/kv_store.hpp"
#include "storage/kv/row_filter.hpp"

namespace naru::storage {

struct RocksOptions {
  // Must exist but for its last part. No other program may write to it.
  std::string directory;
  // Of all write buffers together; 0: a 16th of the free space, 2 to 64 MiB.
  std::uint64_t write_buffer_bytes = 0;
  // When the log outgrows this, what keeps it alive is flushed; 0: twice the write buffers.
  std::uint64_t wal_bytes_max = 0;
  // Bytes set aside for a write that began; 0: half the write buffers, at most 4 MiB. Should
  // exceed the largest batch.
  std::uint64_t spare_bytes = 0;
  std::size_t cache_bytes = std::size_t{8} << 20;
  int open_files_max = 256;
  // Asked about rows of journal and stream when files are written. May be null.
  const RowFilter* filter = nullptr;
  // RocksDB's warnings (1), errors (2) and last words (3). From any thread; must not call back.
  std::function<void(int severity, std::string_view text)> on_warning;
  // Tests only: the file system of PowerLossFs, in place of the machine's.
  std::shared_ptr<void> file_system;
};

class RocksKv final : public KvStore {
 public:
  struct Stats {
    std::uint64_t wal_bytes = 0;  // Log files that are still needed.
    std::uint64_t write_buffer_bytes = 0;
    std::uint64_t live_bytes = 0;      // An estimate, without the log.
    std::uint64_t free_bytes = 0;      // Of the file system, for this user.
    std::uint64_t write_rate_max = 0;  // Bytes a second while RocksDB slows writes; else 0.
    bool writes_stopped = false;       // RocksDB makes commits wait.
  };

  // Errc::corrupt: damaged, the only case in which a new store may take its place. busy: another
  // process has it. newer: a later release wrote it. All failures leave the files as they were.
  static Result<std::unique_ptr<RocksKv>> open(const RocksOptions& options);
  ~RocksKv() override;

  Result<std::optional<Bytes>> get(Family family, BytesView key,
                                   Reach reach = Reach::disk) const override;
  void get_many(Family family, std::span<const Bytes> keys, Reach reach,
                std::vector<Result<std::optional<Bytes>>>& out) const override;
  std::unique_ptr<KvIterator> scan(Family family, BytesView from, BytesView to) const override;
  // REQUIRES: no put_numbered; the committer has replaced it.
  Result<void> commit(const Batch& batch, Durability durability) override;

  Result<void> sync_wal();  // Makes every commit so far survive power loss.
  Result<void> flush();     // Moves the write buffers into files.
  // Rewrites the files of a range; what the filter drops and deletions cover is gone after it.
  Result<void> compact(Family family, BytesView from, BytesView to);
  // Removes the files that hold nothing but keys of the range, from and to included. Rows of the
  // range may remain in other files. Never use on rows that an iterator still needs.
  Result<void> drop_files(Family family, BytesView from, BytesView to);
  // A copy of everything committed, by hard links where it can. `directory` must not exist.
  Result<void> checkpoint(const std::string& directory);

  Stats stats() const;
  struct FamilyStats {
    std::string name;
    std::uint64_t rows = 0;   // An estimate.
    std::uint64_t bytes = 0;  // In files and write buffers.
  };
  std::vector<FamilyStats> family_stats() const;  // By Family.

 private:
  struct Parts;
  explicit RocksKv(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace naru::storage

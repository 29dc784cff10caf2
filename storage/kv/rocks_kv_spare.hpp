// storage/kv/rocks_kv_spare.hpp
//
// SpareFileSystem lets RocksDB's log and manifest never meet a full disk half-way: it keeps a
// file of spare bytes beside the store and gives it up, once, to finish a write that began.
// RocksDB cannot go on with a log whose write failed (Debian's build even aborts), and a record
// of which nobody knows whether it is there can be neither acknowledged nor refused.
//
// Edge: a rocksdb::FileSystem around another one. Lives on any thread.
// Owned by RocksKv and its Env. Bounded by the size of the spare file.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace naru::storage {

class SpareFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  SpareFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target, std::string directory,
                  std::uint64_t spare_bytes);

  const char* Name() const override { return "NaruSpareFileSystem"; }

  // True when the spare file is whole, or could be made so.
  bool fill_spare();
  // True when there was anything to give up.
  bool give_up_spare();

  // RocksDB leaves behind what it wrote in vain when it cannot open a store: each attempt on a
  // full disk would make it fuller. Between the two calls new files are listed; the second
  // deletes them, unless a manifest was made that may refer to them.
  void list_new_files();
  void settle_new_files(bool opened);

  std::uint64_t free_bytes() const;
  std::uint64_t spare_bytes() const { return spare_bytes_; }
  // Ever appended to log files by this process; tells whether a failed write left anything.
  std::uint64_t log_bytes_appended() const { return log_bytes_appended_; }
  std::uint64_t log_bytes_alive() const;

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

  using LogSize = std::atomic<std::uint64_t>;

  // For the files this hands out.
  void count_log_append(LogSize& size, std::uint64_t bytes);

 private:
  const std::string directory_;
  const std::string spare_path_;
  const std::uint64_t spare_bytes_;
  std::atomic<std::uint64_t> log_bytes_appended_{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<LogSize>> logs_;
  bool spare_whole_ = false;
  bool listing_ = false;
  std::vector<std::string> new_files_;
};

}  // namespace naru::storage

// storage/kv/rocks_kv_spare.cpp: writes at known positions, so that one can be tried again.

#include "storage/kv/rocks_kv_spare.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace naru::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

bool is_log(const std::string& name) { return name.ends_with(".log"); }
bool is_manifest(const std::string& name) { return name.find("/MANIFEST-") != std::string::npos; }

// Files without which RocksDB can neither go on nor be opened again.
bool is_vital(const std::string& name) {
  return is_log(name) || is_manifest(name) || name.ends_with(".dbtmp");
}

// Keeps its own position, because a failed append leaves the system's somewhere inside the
// bytes; written at that position again, the whole run replaces what got through.
class VitalFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  VitalFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, SpareFileSystem& owner,
            std::shared_ptr<SpareFileSystem::LogSize> log_size)
      : FSWritableFileOwnerWrapper(std::move(file)),
        owner_(owner),
        log_size_(std::move(log_size)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    IOStatus done = target()->PositionedAppend(data, position_, options, debug);
    if (done.IsNoSpace() && owner_.give_up_spare()) {
      done = target()->PositionedAppend(data, position_, options, debug);
    }
    if (!done.ok()) return done;
    position_ += data.size();
    if (log_size_) owner_.count_log_append(*log_size_, data.size());
    return done;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return Append(data, options, debug);
  }

 private:
  SpareFileSystem& owner_;
  std::shared_ptr<SpareFileSystem::LogSize> log_size_;  // Null for other files.
  std::uint64_t position_ = 0;
};

}  // namespace

SpareFileSystem::SpareFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target,
                                 std::string directory, std::uint64_t spare_bytes)
    : FileSystemWrapper(target),
      directory_(std::move(directory)),
      spare_path_(directory_ + "/spare"),
      spare_bytes_(spare_bytes) {}

bool SpareFileSystem::fill_spare() {
  const std::lock_guard lock{mutex_};
  if (spare_whole_) return true;
  const int file = ::open(spare_path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const auto size = static_cast<off_t>(spare_bytes_);
  spare_whole_ = ::posix_fallocate(file, 0, size) == 0 && ::ftruncate(file, size) == 0;
  ::close(file);
  if (!spare_whole_) ::unlink(spare_path_.c_str());
  return spare_whole_;
}

bool SpareFileSystem::give_up_spare() {
  const std::lock_guard lock{mutex_};
  spare_whole_ = false;
  return ::unlink(spare_path_.c_str()) == 0;
}

void SpareFileSystem::list_new_files() {
  const std::lock_guard lock{mutex_};
  listing_ = true;
}

void SpareFileSystem::settle_new_files(bool opened) {
  const std::lock_guard lock{mutex_};
  listing_ = false;
  const auto files = std::exchange(new_files_, {});
  if (opened || std::ranges::any_of(files, is_manifest)) return;
  for (const std::string& name : files) {
    // One that is gone already is as good.
    target()->DeleteFile(name, {}, nullptr).PermitUncheckedError();
    logs_.erase(name);
  }
}

std::uint64_t SpareFileSystem::free_bytes() const {
  struct statvfs space {};
  if (::statvfs(directory_.c_str(), &space) != 0) return 0;
  return std::uint64_t{space.f_bavail} * space.f_frsize;
}

std::uint64_t SpareFileSystem::log_bytes_alive() const {
  const std::lock_guard lock{mutex_};
  std::uint64_t bytes = 0;
  for (const auto& [name, size] : logs_) bytes += *size;
  return bytes;
}

void SpareFileSystem::count_log_append(LogSize& size, std::uint64_t bytes) {
  size += bytes;
  log_bytes_appended_ += bytes;
}

IOStatus SpareFileSystem::NewWritableFile(const std::string& name,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result,
                                          IODebugContext* debug) {
  {
    const std::lock_guard lock{mutex_};
    if (listing_) new_files_.push_back(name);
  }
  IOStatus done = target()->NewWritableFile(name, options, result, debug);
  if (!is_vital(name)) return done;
  if (done.IsNoSpace() && give_up_spare()) {
    done = target()->NewWritableFile(name, options, result, debug);
  }
  if (!done.ok()) return done;
  std::shared_ptr<LogSize> size;
  if (is_log(name)) {
    size = std::make_shared<LogSize>(0);
    const std::lock_guard lock{mutex_};
    logs_[name] = size;
  }
  *result = std::make_unique<VitalFile>(std::move(*result), *this, std::move(size));
  return done;
}

IOStatus SpareFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                     IODebugContext* debug) {
  const IOStatus done = target()->DeleteFile(name, options, debug);
  if (done.ok() && is_log(name)) {
    const std::lock_guard lock{mutex_};
    logs_.erase(name);
  }
  return done;
}

}  // namespace naru::storage

// storage/kv/power_loss_fs.cpp: remembers what is not on the disk yet, and how to undo it.
//
// A file that disappears, deleted or renamed over, is kept under a second name until its directory
// is synced. RocksDB ignores such names. Lengths are kept by inode, so that they follow a file
// through its names.

#include "storage/kv/power_loss_fs.hpp"

#include <rocksdb/file_system.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace naru::storage {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_not_of('/', path.rfind('/'));
  return slash == std::string::npos ? "/" : path.substr(0, slash + 1);
}

std::string without_end_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// 0 where there is no file.
ino_t inode_of(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 ? file.st_ino : 0;
}

struct FileState {
  std::uint64_t written = 0;
  std::uint64_t synced = 0;
};

// One change of a directory's entries that a power cut undoes.
struct Undo {
  std::string path;   // The entry that appeared; empty where none did.
  std::string from;   // The name it had before; empty where it was new.
  std::string saved;  // The second name of what `path` was before; empty where it was nothing.
};

}  // namespace

class PowerLossFs::System final : public rocksdb::FileSystemWrapper,
                                  public std::enable_shared_from_this<PowerLossFs::System> {
 public:
  System() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "NaruPowerLossFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override;
  // RocksDB's other ways to a writable file are not used by RocksKv's options.
  IOStatus ReopenWritableFile(const std::string&, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("reopen");
  }
  IOStatus ReuseWritableFile(const std::string&, const std::string&, const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("reuse");
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override;
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override;
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override;

  // Runs one write of a file while there is power; else pretends.
  template <class Write>
  IOStatus if_powered(Write&& write) {
    const std::lock_guard lock{mutex_};
    return dark_ ? IOStatus::OK() : write();
  }
  void forget_undo(const std::string& directory);  // Under the mutex.
  void drop_unsynced(const std::function<void()>& then);

 private:
  IOStatus new_dark_file(const FileOptions& options,
                         std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug);
  std::string save(const std::string& path);
  static void undo(const Undo& entry);
  void cut_files(const std::string& directory);

  std::mutex mutex_;
  bool dark_ = false;
  std::uint64_t last_saved_ = 0;
  std::map<ino_t, std::shared_ptr<FileState>> files_;
  std::set<std::string> directories_;                  // Where files were made.
  std::map<std::string, std::vector<Undo>> unsynced_;  // By directory, oldest first.
};

namespace {

template <class System>
class WatchedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WatchedFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::shared_ptr<System> system,
              std::shared_ptr<FileState> state)
      : FSWritableFileOwnerWrapper(std::move(file)),
        system_(std::move(system)),
        state_(std::move(state)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return PositionedAppend(data, state_->written, options, debug);
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, std::uint64_t offset,
                            const IOOptions& options, IODebugContext* debug) override {
    return system_->if_powered([&] {
      const auto done = target()->PositionedAppend(data, offset, options, debug);
      if (done.ok()) state_->written = std::max(state_->written, offset + data.size());
      return done;
    });
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, std::uint64_t offset,
                            const IOOptions& options, const rocksdb::DataVerificationInfo&,
                            IODebugContext* debug) override {
    return PositionedAppend(data, offset, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return synced([&] { return target()->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return synced([&] { return target()->Fsync(options, debug); });
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    return system_->if_powered([&] { return target()->Truncate(size, options, debug); });
  }
  IOStatus Allocate(std::uint64_t offset, std::uint64_t size, const IOOptions& options,
                    IODebugContext* debug) override {
    return system_->if_powered([&] { return target()->Allocate(offset, size, options, debug); });
  }
  // Closing would cut the file to the length it had when the power went.
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return system_->if_powered([&] { return target()->Close(options, debug); });
  }

 private:
  template <class Sync>
  IOStatus synced(Sync&& sync) {
    return system_->if_powered([&] {
      const auto done = sync();
      if (done.ok()) state_->synced = state_->written;
      return done;
    });
  }

  std::shared_ptr<System> system_;
  std::shared_ptr<FileState> state_;
};

template <class System>
class WatchedDirectory final : public rocksdb::FSDirectory {
 public:
  WatchedDirectory(std::unique_ptr<rocksdb::FSDirectory>&& directory,
                   std::shared_ptr<System> system, std::string path)
      : directory_(std::move(directory)), system_(std::move(system)), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return synced([&] { return directory_->Fsync(options, debug); });
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& directory_options) override {
    return synced(
        [&] { return directory_->FsyncWithDirOptions(options, debug, directory_options); });
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return directory_->Close(options, debug);
  }
  std::size_t GetUniqueId(char* id, std::size_t size) const override {
    return directory_->GetUniqueId(id, size);
  }

 private:
  template <class Sync>
  IOStatus synced(Sync&& sync) {
    return system_->if_powered([&] {
      const auto done = sync();
      if (done.ok()) system_->forget_undo(path_);
      return done;
    });
  }

  std::unique_ptr<rocksdb::FSDirectory> directory_;
  std::shared_ptr<System> system_;
  const std::string path_;
};

}  // namespace

IOStatus PowerLossFs::System::NewWritableFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                                              IODebugContext* debug) {
  const std::lock_guard lock{mutex_};
  // In the dark a store still wants a file to write to; one nobody will look for.
  if (dark_) return new_dark_file(options, result, debug);
  // Opening an old file for writing empties it: put it aside first.
  const std::string saved = save(path);
  if (!saved.empty()) ::unlink(path.c_str());
  const auto done = target()->NewWritableFile(path, options, result, debug);
  if (!done.ok()) return done;
  unsynced_[directory_of(path)].push_back({path, {}, saved});
  auto state = std::make_shared<FileState>();
  files_[inode_of(path)] = state;
  directories_.insert(directory_of(path));
  *result = std::make_unique<WatchedFile<System>>(std::move(*result), shared_from_this(),
                                                  std::move(state));
  return done;
}

// Not a device: RocksDB asserts what a regular file can do.
IOStatus PowerLossFs::System::new_dark_file(const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSWritableFile>* result,
                                            IODebugContext* debug) {
  std::string path = (std::filesystem::temp_directory_path() / "naru-dark-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  if (fd < 0) return IOStatus::IOError("no file for the dark");
  ::close(fd);
  const auto done = target()->NewWritableFile(path, options, result, debug);
  ::unlink(path.c_str());
  return done;
}

IOStatus PowerLossFs::System::NewDirectory(const std::string& path, const IOOptions& options,
                                           std::unique_ptr<rocksdb::FSDirectory>* result,
                                           IODebugContext* debug) {
  const auto done = target()->NewDirectory(path, options, result, debug);
  if (!done.ok()) return done;
  *result = std::make_unique<WatchedDirectory<System>>(std::move(*result), shared_from_this(),
                                                       without_end_slash(path));
  return done;
}

IOStatus PowerLossFs::System::DeleteFile(const std::string& path, const IOOptions& options,
                                         IODebugContext* debug) {
  return if_powered([&] {
    const std::string saved = save(path);
    const auto done = target()->DeleteFile(path, options, debug);
    if (done.ok() && !saved.empty()) unsynced_[directory_of(path)].push_back({{}, path, saved});
    return done;
  });
}

IOStatus PowerLossFs::System::RenameFile(const std::string& from, const std::string& to,
                                         const IOOptions& options, IODebugContext* debug) {
  return if_powered([&] {
    const std::string saved = save(to);
    const auto done = target()->RenameFile(from, to, options, debug);
    if (!done.ok()) return done;
    unsynced_[directory_of(to)].push_back({to, from, saved});
    return done;
  });
}

IOStatus PowerLossFs::System::LinkFile(const std::string& from, const std::string& to,
                                       const IOOptions& options, IODebugContext* debug) {
  return if_powered([&] {
    const auto done = target()->LinkFile(from, to, options, debug);
    if (done.ok()) unsynced_[directory_of(to)].push_back({to, {}, {}});
    return done;
  });
}

// A second name for the file, or nothing when there is no file.
std::string PowerLossFs::System::save(const std::string& path) {
  std::string saved = directory_of(path) + "/deleted-" + std::to_string(++last_saved_);
  return ::link(path.c_str(), saved.c_str()) == 0 ? saved : std::string{};
}

void PowerLossFs::System::forget_undo(const std::string& directory) {
  const auto entries = unsynced_.extract(directory);
  if (entries.empty()) return;
  for (const Undo& entry : entries.mapped()) {
    if (!entry.saved.empty()) ::unlink(entry.saved.c_str());
  }
}

void PowerLossFs::System::undo(const Undo& entry) {
  if (!entry.path.empty()) {
    if (entry.from.empty()) {
      ::unlink(entry.path.c_str());
    } else {
      ::rename(entry.path.c_str(), entry.from.c_str());
    }
  }
  if (entry.saved.empty()) return;
  const std::string& place = entry.path.empty() ? entry.from : entry.path;
  ::rename(entry.saved.c_str(), place.c_str());
}

void PowerLossFs::System::drop_unsynced(const std::function<void()>& then) {
  const std::lock_guard lock{mutex_};
  dark_ = true;
  for (const auto& [directory, entries] : unsynced_) {
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) undo(*entry);
  }
  unsynced_.clear();
  for (const std::string& directory : directories_) cut_files(directory);
  if (then) then();
}

// Puts a shorter copy in the place of each file that has bytes which were not synced. A copy,
// because the store still has the file open and gives it its old length when it closes it.
void PowerLossFs::System::cut_files(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator{directory}) {
    const auto file = files_.find(inode_of(entry.path()));
    if (file == files_.end() || file->second->synced >= file->second->written) continue;
    const std::filesystem::path copy{directory + "/cut"};
    std::filesystem::copy_file(entry.path(), copy);
    std::filesystem::resize_file(copy, file->second->synced);
    std::filesystem::rename(copy, entry.path());
  }
}

PowerLossFs::PowerLossFs() : system_(std::make_shared<System>()) {}
PowerLossFs::~PowerLossFs() = default;

std::shared_ptr<void> PowerLossFs::file_system() const {
  return std::static_pointer_cast<rocksdb::FileSystem>(system_);
}

void PowerLossFs::drop_unsynced(const std::function<void()>& then) { system_->drop_unsynced(then); }

}  // namespace naru::storage

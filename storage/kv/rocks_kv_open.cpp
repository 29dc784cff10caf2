// storage/kv/rocks_kv_open.cpp: RocksDB's options, and what its failures mean at the start.

#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <filesystem>

#include "storage/kv/rocks_kv_parts.hpp"

namespace naru::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
constexpr std::uint64_t blob_bytes_min = 4096;

// Sends what matters to a callback. RocksDB's own logger keeps a file, and aborts when the disk
// is full.
class WarningLogger final : public rocksdb::Logger {
 public:
  explicit WarningLogger(std::function<void(int, std::string_view)> out)
      : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), out_(std::move(out)) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (!out_ || level < rocksdb::InfoLogLevel::WARN_LEVEL || level >= header) return;
    // A checkpoint disables deletions, lists files, which does it again, and is warned of that.
    if (BytesView{format}.find(twice_disabled) != BytesView::npos) return;
    char text[1024];
    const int length = std::vsnprintf(text, sizeof text, format, arguments);
    if (length <= 0) return;
    BytesView view{text, std::min(static_cast<std::size_t>(length), sizeof text - 1)};
    while (!view.empty() && view.back() == '\n') view.remove_suffix(1);
    out_(level - rocksdb::InfoLogLevel::WARN_LEVEL + 1, view);
  }

 private:
  static constexpr auto header = rocksdb::InfoLogLevel::HEADER_LEVEL;  // Above FATAL, but chatter.
  static constexpr BytesView twice_disabled = "File Deletions ";
  std::function<void(int, std::string_view)> out_;
};

// RocksDB looks for room every five seconds after a flush that found none. The next commit asks
// sooner; two that try to recover would be in each other's way.
class OwnRecovery final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status error,
                            bool* automatic) override {
    if (error.severity() >= rocksdb::Status::Severity::kHardError) *automatic = false;
  }
};

rocksdb::CompressionType best_compression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  return std::ranges::count(supported, rocksdb::kLZ4Compression) != 0 ? rocksdb::kLZ4Compression
                                                                      : rocksdb::kNoCompression;
}

rocksdb::ColumnFamilyOptions family_options(const RocksOptions& options, const Sizes& sizes,
                                            const std::shared_ptr<rocksdb::Cache>& cache,
                                            Family family) {
  rocksdb::ColumnFamilyOptions cf;
  cf.write_buffer_size = sizes.write_buffers / 2;
  cf.arena_block_size = std::clamp(sizes.write_buffers / 128, std::uint64_t{16} << 10, mebibyte);
  cf.target_file_size_base = std::max(sizes.write_buffers / 2, mebibyte);
  cf.max_bytes_for_level_base = 4 * cf.target_file_size_base;
  cf.compression = best_compression();

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  // Inside the cache's budget, or many files would cost memory without bound.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  cf.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  const bool payloads =
      family == Family::journal || family == Family::stream || family == Family::retained;
  if (payloads) {
    cf.enable_blob_files = true;
    cf.min_blob_size = blob_bytes_min;
    cf.blob_file_size = 4 * cf.target_file_size_base;
    cf.blob_compression_type = cf.compression;
    cf.enable_blob_garbage_collection = true;
    cf.blob_cache = cache;
  }
  if (options.filter != nullptr && (family == Family::journal || family == Family::stream)) {
    cf.compaction_filter_factory = make_filter_factory(*options.filter, family);
  }
  return cf;
}

bool has_rows(const std::string& directory) {
  std::error_code ignored;
  for (fs::directory_iterator at{directory, ignored}, end; at != end; at.increment(ignored)) {
    const auto extension = at->path().extension();
    if (extension == ".sst" || extension == ".blob") return true;
    if (extension == ".log" && at->file_size(ignored) > 0) return true;
  }
  return false;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// Rows whose list is gone are damage. The lock was ours, so nobody was replacing it.
bool lost_its_manifest(const rocksdb::Status& status, const std::string& directory) {
  const std::string text = status.ToString();
  return status.IsIOError() && has(text, "/MANIFEST-") && has(text, "No such file") &&
         has_rows(directory);
}

}  // namespace

Sizes sizes_for(const RocksOptions& options) {
  std::error_code ignored;
  const auto space = fs::space(options.directory, ignored);
  const std::uint64_t free = ignored ? 0 : space.available;
  Sizes sizes{};
  sizes.write_buffers = options.write_buffer_bytes != 0
                            ? options.write_buffer_bytes
                            : std::clamp(free / 16, 2 * mebibyte, 64 * mebibyte);
  sizes.wal_max = options.wal_bytes_max != 0 ? options.wal_bytes_max : 2 * sizes.write_buffers;
  sizes.spare = options.spare_bytes != 0 ? options.spare_bytes
                                         : std::min(sizes.write_buffers / 2, 4 * mebibyte);
  return sizes;
}

rocksdb::DBOptions db_options(const RocksOptions& options, const Sizes& sizes) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.info_log = std::make_shared<WarningLogger>(options.on_warning);
  db.listeners.push_back(std::make_shared<OwnRecovery>());
  // A torn end of the log is what a crash leaves; damage before it must not pass for an end.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.track_and_verify_wals_in_manifest = true;
  db.recycle_log_file_num = 0;
  db.max_total_wal_size = sizes.wal_max;
  db.max_open_files = options.open_files_max;
  db.max_file_opening_threads = 1;
  db.max_background_jobs = 2;
  db.max_bgerror_resume_count = 0;  // Only a full disk is waited for; all else ends the process.
  db.allow_concurrent_memtable_write = false;  // There is one writer.
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.bytes_per_sync = mebibyte;
  db.max_manifest_file_size = std::clamp(sizes.write_buffers / 4, mebibyte, 16 * mebibyte);
  db.manifest_preallocation_size = std::min(sizes.write_buffers / 32, 4 * mebibyte);
  return db;
}

bool lost_its_pointer(const std::string& directory) {
  std::error_code failed;
  return !fs::exists(directory + "/CURRENT", failed) && !failed && has_rows(directory);
}

std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(
    const RocksOptions& options, const Sizes& sizes, const std::shared_ptr<rocksdb::Cache>& cache) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::size_t n = 0; n < family_count; ++n) {
    families.emplace_back(family_names[n],
                          family_options(options, sizes, cache, static_cast<Family>(n)));
  }
  families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                        family_options(options, sizes, cache, Family::meta));
  return families;
}

Error to_open_error(const rocksdb::Status& status, const std::string& directory) {
  const std::string text = status.ToString();
  const std::string store = "store " + directory + ": ";
  // RocksDB reports what passed its checksum but is unknown to it as damage.
  if (status.IsNotSupported() || has(text, "Column families not opened") ||
      has(text, "nsupported footer version") || has(text, "nknown footer version") ||
      has(text, "unknown tag") || has(text, "unknown WriteBatch tag")) {
    return {Errc::newer, store + "written by a newer release; start that release (" + text + ")"};
  }
  if (status.IsCorruption() || lost_its_manifest(status, directory)) {
    return {Errc::corrupt, store + "damaged (" + text + ")"};
  }
  if (status.IsIOError() && has(text, "Permission denied")) {
    return {Errc::io, store +
                          "no permission to write; change the owner of its directory and of "
                          "what is in it (" +
                          text + ")"};
  }
  if (status.IsIOError() && (has(text, "lock ") || has(text, "/LOCK"))) {
    return {Errc::busy,
            store + "in use; stop the other process or choose another directory (" + text + ")"};
  }
  if (status.IsNoSpace()) {
    return {Errc::no_space, store + "no room to start; free some on its disk (" + text + ")"};
  }
  return {Errc::io, store + "cannot be opened, and is left as it is (" + text + ")"};
}

Result<std::unique_ptr<RocksKv>> RocksKv::open(const RocksOptions& options) {
  if (lost_its_pointer(options.directory)) {
    return to_open_error(rocksdb::Status::Corruption("rows, but no file CURRENT"),
                         options.directory);
  }
  // RocksDB would make it too, but complains first, and lets everybody on the machine read what
  // clients have sent. What is wrong with it, opening will say.
  std::error_code ignored;
  if (fs::create_directory(options.directory, ignored)) {
    fs::permissions(options.directory, fs::perms::owner_all, ignored);
  }
  const Sizes sizes = sizes_for(options);
  auto parts = std::make_unique<Parts>();
  const auto system = options.file_system
                          ? std::static_pointer_cast<rocksdb::FileSystem>(options.file_system)
                          : rocksdb::FileSystem::Default();
  parts->file_system = std::make_shared<SpareFileSystem>(system, options.directory, sizes.spare);
  parts->env = rocksdb::NewCompositeEnv(parts->file_system);
  parts->write_buffers = std::make_shared<rocksdb::WriteBufferManager>(sizes.write_buffers);
  parts->cache = rocksdb::NewLRUCache(options.cache_bytes);

  rocksdb::DBOptions db = db_options(options, sizes);
  db.env = parts->env.get();
  db.write_buffer_manager = parts->write_buffers;
  const auto families = family_descriptors(options, sizes, parts->cache);

  rocksdb::DB* opened = nullptr;
  const auto attempt = [&] {
    parts->file_system->list_new_files();
    const auto status =
        rocksdb::DB::Open(db, options.directory, families, &parts->families, &opened);
    parts->file_system->settle_new_files(status.ok());
    return status;
  };
  auto status = attempt();
  // Recovery writes files; on a full disk what was set aside may be just enough for them.
  if (status.IsNoSpace() && parts->file_system->give_up_spare()) status = attempt();
  if (!status.ok()) return to_open_error(status, options.directory);
  parts->db.reset(opened);
  // Without it the first commit asks again.
  static_cast<void>(parts->file_system->fill_spare());
  return std::unique_ptr<RocksKv>{new RocksKv{std::move(parts)}};
}

}  // namespace naru::storage

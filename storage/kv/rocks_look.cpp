// storage/kv/rocks_look.cpp: a store opened to be read, under its lock.

#include "storage/kv/rocks_look.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "storage/kv/mem_kv.hpp"
#include "storage/kv/rocks_kv_parts.hpp"

namespace naru::storage {
namespace {

namespace fs = std::filesystem;

const MemKv& no_rows() {
  static const MemKv none;
  return none;
}

}  // namespace

struct RocksLook::Parts {
  ~Parts() {
    if (db) {
      for (rocksdb::ColumnFamilyHandle* handle : handles) delete handle;
      db->Close().PermitUncheckedError();
      db.reset();
    }
    if (lock != nullptr) env->UnlockFile(lock).PermitUncheckedError();
  }

  // What a scan finds means the same as what opening finds; only the other failures do not.
  Error error_of(const rocksdb::Status& status, const char* what) const {
    Error error = to_open_error(status, directory);
    const bool judged = error.code == Errc::corrupt || error.code == Errc::newer;
    return judged ? std::move(error) : to_error(status, what);
  }

  rocksdb::Status open(const RocksOptions& options);

  std::string directory;
  std::unique_ptr<rocksdb::Env> own_env;  // Of a test's file system.
  rocksdb::Env* env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  // By Family. Null: a first start that was cut off, or an older release, did not make it.
  std::array<rocksdb::ColumnFamilyHandle*, family_count> families{};
};

rocksdb::Status RocksLook::Parts::open(const RocksOptions& options) {
  const Sizes sizes = sizes_for(options);
  rocksdb::DBOptions how = db_options(options, sizes);
  how.env = env;
  std::vector<std::string> there;
  const auto listed = rocksdb::DB::ListColumnFamilies(how, directory, &there);
  if (!listed.ok()) return listed;
  auto wanted = family_descriptors(options, sizes, rocksdb::NewLRUCache(options.cache_bytes));
  std::erase_if(wanted, [&](const rocksdb::ColumnFamilyDescriptor& each) {
    return std::ranges::find(there, each.name) == there.end();
  });
  // With all that is there: a family that nobody here knows is a newer release's.
  const bool known = wanted.size() == there.size();
  if (!known) return rocksdb::Status::InvalidArgument("Column families not opened");
  rocksdb::DB* opened = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(how, directory, wanted, &handles, &opened);
  if (!status.ok()) return status;
  db.reset(opened);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    const auto name = std::ranges::find(family_names, handle->GetName());
    if (name != family_names.end())
      families[static_cast<std::size_t>(name - family_names.begin())] = handle;
  }
  return status;
}

RocksLook::RocksLook(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RocksLook::~RocksLook() = default;

Result<std::unique_ptr<RocksLook>> RocksLook::open(const RocksOptions& options) {
  if (lost_its_pointer(options.directory)) {
    return to_open_error(rocksdb::Status::Corruption("rows, but no file CURRENT"),
                         options.directory);
  }
  std::error_code ignored;
  if (!fs::exists(options.directory + "/CURRENT", ignored)) {
    return Error{Errc::not_found, "store " + options.directory + ": there is none"};
  }
  auto parts = std::make_unique<Parts>();
  parts->directory = options.directory;
  if (options.file_system) {
    parts->own_env = rocksdb::NewCompositeEnv(
        std::static_pointer_cast<rocksdb::FileSystem>(options.file_system));
    parts->env = parts->own_env.get();
  }
  // RocksDB reads without a lock; then a store in use could look damaged.
  auto status = parts->env->LockFile(options.directory + "/LOCK", &parts->lock);
  if (status.ok()) status = parts->open(options);
  if (!status.ok()) return to_open_error(status, options.directory);
  return std::unique_ptr<RocksLook>{new RocksLook{std::move(parts)}};
}

Result<std::optional<Bytes>> RocksLook::get(Family family, BytesView key, Reach /*reach*/) const {
  rocksdb::ColumnFamilyHandle* const from = parts_->families[static_cast<std::size_t>(family)];
  if (from == nullptr) return std::optional<Bytes>{};
  rocksdb::PinnableSlice value;
  const auto status = parts_->db->Get({}, from, to_slice(key), &value);
  return to_answer(status, value, [this](const rocksdb::Status& failed, const char* what) {
    return parts_->error_of(failed, what);
  });
}

std::unique_ptr<KvIterator> RocksLook::scan(Family family, BytesView from, BytesView to) const {
  rocksdb::ColumnFamilyHandle* const among = parts_->families[static_cast<std::size_t>(family)];
  if (among == nullptr) return no_rows().scan(family, from, to);
  return make_iterator(*parts_->db, among, from, to,
                       [this](const rocksdb::Status& failed, const char* what) {
                         return parts_->error_of(failed, what);
                       });
}

Result<void> RocksLook::commit(const Batch& /*batch*/, Durability /*durability*/) {
  return Error{Errc::refused, "store " + parts_->directory + ": opened for reading alone"};
}

}  // namespace naru::storage

#include "broker/app/backup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "storage/tables/meta.hpp"

namespace naru::broker {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* manifest_name = "backup.json";
constexpr const char* store_name = "store";

Error fault(const fs::path& path, const std::string& text) {
  return {Errc::io, path.string() + ": " + text};
}

Result<void> sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fault(path, std::strerror(errno));
  const int synced = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (synced != 0) return fault(path, std::strerror(error));
  return {};
}

Result<void> rename_synced(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return fault(to, error.message());
  return sync_path(to.parent_path());
}

struct StoredFile {
  std::string name;
  std::uint64_t bytes = 0;
};
using StoredFiles = std::vector<StoredFile>;

// What is in the store's directory is flat: RocksDB makes no directories.
Result<StoredFiles> list_files(const fs::path& directory) {
  StoredFiles files;
  std::error_code error;
  for (fs::directory_iterator at{directory, error}, end; !error && at != end; at.increment(error)) {
    const std::uintmax_t bytes = at->file_size(error);
    if (error) break;
    files.push_back({at->path().filename().string(), bytes});
  }
  if (error) return fault(directory, error.message());
  return files;
}

void count(BackupFacts& facts, const StoredFiles& files) {
  facts.files = files.size();
  for (const StoredFile& file : files) facts.bytes += file.bytes;
}

Result<void> write_manifest(const fs::path& directory, const BackupFacts& facts,
                            const StoredFiles& files) {
  Json manifest;
  manifest["format"] = facts.format;
  manifest["node"] = facts.node;
  manifest["version"] = facts.version;
  manifest["taken_at"] = facts.taken_at;
  Json& list = manifest["files"] = Json::array();
  for (const StoredFile& file : files) {
    Json& json = list.emplace_back();
    json["name"] = file.name;
    json["bytes"] = file.bytes;
  }
  const fs::path path = directory / manifest_name;
  std::ofstream out{path};
  out << manifest.dump(1) << '\n';
  out.close();
  if (!out) return fault(path, "cannot be written; is there room?");
  return sync_path(path);
}

Result<void> fill(storage::RocksKv& store, const fs::path& partial, BackupFacts& facts) {
  std::error_code error;
  if (fs::create_directory(partial, error)) fs::permissions(partial, fs::perms::owner_all, error);
  if (error) return fault(partial, error.message() + "; make its parent and let narud write there");
  const auto copied = store.checkpoint(partial / store_name);
  if (!copied) return copied;
  const auto files = list_files(partial / store_name);
  if (!files) return files.error();
  count(facts, *files);
  const auto told = write_manifest(partial, facts, *files);
  if (!told) return told;
  const auto synced = sync_path(partial / store_name);
  if (!synced) return synced;
  return sync_path(partial);
}

// Nothing where it is not a manifest of ours.
std::optional<StoredFiles> read_manifest(const fs::path& path, BackupFacts& facts) {
  std::ifstream in{path};
  const Json manifest = Json::parse(in, nullptr, false);
  StoredFiles files;
  try {
    facts.format = manifest.at("format").get<std::uint32_t>();
    facts.node = manifest.at("node").get<std::string>();
    facts.version = manifest.at("version").get<std::string>();
    facts.taken_at = manifest.at("taken_at").get<WallMillis>();
    for (const Json& file : manifest.at("files")) {
      files.push_back({file.at("name").get<std::string>(), file.at("bytes").get<std::uint64_t>()});
    }
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  return files;
}

Result<void> check_files(const fs::path& store, const StoredFiles& files) {
  for (const StoredFile& file : files) {
    if (file.name.empty() || fs::path{file.name}.filename() != file.name) {
      return fault(store, "'" + file.name + "' is no name of a file");
    }
    std::error_code error;
    const std::uintmax_t bytes = fs::file_size(store / file.name, error);
    if (error) return fault(store / file.name, error.message() + "; the backup is not whole");
    if (bytes != file.bytes) {
      return fault(store / file.name, "has " + std::to_string(bytes) + " bytes, not " +
                                          std::to_string(file.bytes) + "; the backup is not whole");
    }
  }
  return {};
}

Result<void> copy_files(const fs::path& from, const fs::path& to, const StoredFiles& files) {
  std::error_code error;
  if (fs::create_directories(to, error)) fs::permissions(to, fs::perms::owner_all, error);
  if (error) return fault(to, error.message());
  for (const StoredFile& file : files) {
    fs::copy_file(from / file.name, to / file.name, error);
    if (error) return fault(to / file.name, error.message());
    const auto synced = sync_path(to / file.name);
    if (!synced) return synced;
  }
  return sync_path(to);
}

}  // namespace

Result<BackupFacts> take_backup(storage::RocksKv& store, BackupFacts facts) {
  const fs::path directory{facts.directory};
  const fs::path partial{facts.directory + ".partial"};
  if (!directory.is_absolute() || !directory.has_filename()) {
    return Error{Errc::invalid, "the directory of a backup must be an absolute path"};
  }
  std::error_code error;
  for (const fs::path& path : {directory, partial}) {
    if (fs::exists(path, error)) {
      return Error{Errc::refused, path.string() + " exists; name a directory that does not"};
    }
  }
  facts.format = storage::store_format;
  auto taken = fill(store, partial, facts);
  if (taken) taken = rename_synced(partial, directory);
  if (taken) return facts;
  fs::remove_all(partial, error);  // It was made just now.
  return taken.error();
}

Result<BackupFacts> restore_backup(const std::string& backup, const std::string& data) {
  const fs::path from{backup};
  const fs::path to{data};
  std::error_code error;
  BackupFacts facts;
  facts.directory = backup;
  if (!fs::exists(from / manifest_name, error)) {
    return Error{Errc::not_found, backup + " is no backup: it has no backup.json"};
  }
  const auto files = read_manifest(from / manifest_name, facts);
  if (!files) return Error{Errc::io, backup + "/backup.json cannot be read"};
  if (facts.format > storage::store_format) {
    return Error{Errc::newer, backup + " has format " + std::to_string(facts.format) +
                                  ", written by release " + facts.version +
                                  "; restore it with that release"};
  }
  if (fs::exists(to, error) && !fs::is_empty(to, error)) {
    return Error{Errc::refused, data + " is not empty; restore into a directory that is"};
  }
  const auto whole = check_files(from / store_name, *files);
  if (!whole) return whole.error();
  const fs::path partial = to / "store.partial";
  auto restored = copy_files(from / store_name, partial, *files);
  if (restored) restored = rename_synced(partial, to / store_name);
  if (!restored) {
    fs::remove_all(partial, error);
    return restored.error();
  }
  count(facts, *files);
  return facts;
}

}  // namespace naru::broker

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

#include "storage/base/crc32c.hpp"
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
  std::optional<std::uint32_t> crc32c;  // Empty: of a release that wrote none.
};
using StoredFiles = std::vector<StoredFile>;

// Reads a file to its end and gives its checksum; visit(BytesView) gets the bytes and may fail.
template <class Visitor>
Result<std::uint32_t> checksum_of(const fs::path& path, Visitor&& visit) {
  std::ifstream in{path, std::ios::binary};
  std::string block(std::size_t{256} << 10, '\0');
  std::uint32_t sum = 0;
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    const BytesView bytes{block.data(), static_cast<std::size_t>(in.gcount())};
    sum = crc32c(bytes, sum);
    const Result<void> visited = visit(bytes);
    if (!visited) return visited.error();
  }
  if (!in.eof()) return fault(path, "cannot be read");
  return sum;
}

// What is in the store's directory is flat: RocksDB makes no directories.
Result<StoredFiles> list_files(const fs::path& directory) {
  StoredFiles files;
  std::error_code error;
  for (fs::directory_iterator at{directory, error}, end; !error && at != end; at.increment(error)) {
    const std::uintmax_t bytes = at->file_size(error);
    if (error) break;
    files.push_back({at->path().filename().string(), bytes, {}});
  }
  if (error) return fault(directory, error.message());
  return files;
}

// Nothing in a checkpoint changes any more, so that may take its time.
Result<void> add_checksums(const fs::path& directory, StoredFiles& files) {
  for (StoredFile& file : files) {
    const auto sum = checksum_of(directory / file.name, [](BytesView) { return Result<void>{}; });
    if (!sum) return sum.error();
    file.crc32c = *sum;
  }
  return {};
}

void count(BackupFacts& facts, const StoredFiles& files) {
  facts.files = files.size();
  for (const StoredFile& file : files) {
    facts.bytes += file.bytes;
    facts.unchecked += file.crc32c ? 0 : 1;
  }
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
    if (file.crc32c) json["crc32c"] = *file.crc32c;
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
  auto files = list_files(partial / store_name);
  if (!files) return files.error();
  const auto summed = add_checksums(partial / store_name, *files);
  if (!summed) return summed;
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
      StoredFile& added = files.emplace_back();
      added.name = file.at("name").get<std::string>();
      added.bytes = file.at("bytes").get<std::uint64_t>();
      if (file.contains("crc32c")) added.crc32c = file.at("crc32c").get<std::uint32_t>();
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

// What is written is what was summed up, in one reading.
Result<void> copy_file(const fs::path& from, const fs::path& to, const StoredFile& file) {
  std::ofstream out{to, std::ios::binary};
  const auto sum = checksum_of(from, [&](BytesView bytes) -> Result<void> {
    if (out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return {};
    return fault(to, "cannot be written; is there room?");
  });
  if (!sum) return sum.error();
  out.close();
  if (!out) return fault(to, "cannot be written; is there room?");
  if (file.crc32c && *file.crc32c != *sum) {
    return fault(from,
                 "is not what backup.json says (its checksum differs); the backup is damaged");
  }
  return sync_path(to);
}

Result<void> copy_files(const fs::path& from, const fs::path& to, const StoredFiles& files) {
  std::error_code error;
  if (fs::create_directories(to, error)) fs::permissions(to, fs::perms::owner_all, error);
  if (error) return fault(to, error.message());
  for (const StoredFile& file : files) {
    const auto copied = copy_file(from / file.name, to / file.name, file);
    if (!copied) return copied;
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

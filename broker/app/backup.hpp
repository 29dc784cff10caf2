// broker/app/backup.hpp
//
// A backup is a directory: a copy of the store as it was at one moment, and backup.json, which
// says of which format and which files it is, with their sizes and checksums. It is complete
// exactly when it has its name; while it is made it ends in ".partial".
//
// Edge: files. take_backup() beside a running node, on a thread of its own; restore_backup() where
// no node runs. Owned by nobody: functions and values.
// Bounded by: the disk. Files are linked where the file system can, else copied.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"
#include "storage/kv/rocks_kv.hpp"

namespace naru::broker {

struct BackupFacts {
  std::string directory;
  std::string node;     // Of which node, and
  std::string version;  // written by which release.
  WallMillis taken_at = 0;
  std::uint32_t format = 0;  // Of the store.
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t unchecked = 0;  // Files of a restored backup that has no checksum for them.
};

// Everything acknowledged before the call is in it. `facts` says of which node; the rest is
// filled in. facts.directory must be absolute and not exist, but for its last part.
Result<BackupFacts> take_backup(storage::RocksKv& store, BackupFacts facts);

// Makes a data directory of a backup. Refused: a data directory that is not empty, a newer
// format (Errc::newer), and a backup that lacks files or whose files differ from their checksums.
// After an error nothing is in the data directory.
Result<BackupFacts> restore_backup(const std::string& backup, const std::string& data);

}  // namespace naru::broker

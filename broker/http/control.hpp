// broker/http/control.hpp
//
// Control is all that the HTTP interface knows of the node behind it: its shards, its store, its
// clock, and the facts nobody but the node as a whole can tell.
//
// Interface of an edge. Called on shard 0 alone; every answer comes back on shard 0's executor.
// Owned by:   the composition root. Must outlive the HttpServer, and every shard must have ended
//             before shard 0's io_context is destroyed.
// Bounded by: one function of ours on each shard at a time per request.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "broker/http/awaitable.hpp"
#include "broker/session/shard_output.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"
#include "storage/base/metrics.hpp"
#include "storage/base/result.hpp"

namespace naru::storage {
class KvStore;
}

namespace naru::broker {

class ShardCore;

// What GET /v1/status says of the node and no shard knows.
struct NodeFacts {
  struct Listener {
    std::string address;
    std::uint16_t port = 0;
  };
  struct Stream {
    Bytes name;
    std::uint64_t retention_s = 0;  // 0: records are kept for ever.
  };
  struct Commits {
    std::uint64_t commits = 0;
    std::uint64_t units = 0;
    std::uint64_t bytes = 0;
    std::uint64_t failed = 0;  // Units.
    TimeHistogram times;       // Of commits: writing and syncing.
    TimeHistogram waits;       // From the oldest unit's arrival to the end of its commit.
  };

  struct Bridge {
    std::string name;
    std::string address;
    Bytes client_id;  // Here.
    bool connected = false;
    std::string state;
    std::uint64_t sent = 0, received = 0, dropped = 0, repeated = 0;  // Publishes.
    bool removed = false;  // From the configuration; its session was left behind.
  };

  std::string id;
  std::string version;
  std::uint64_t uptime_s = 0;
  StoreMillis store_time = 0;
  std::vector<std::string> problems;  // One sentence each; the node is green when there is none.
  std::vector<Listener> listeners;
  std::vector<Stream> streams;  // As configured, in that order.
  std::vector<Bridge> bridges;
  Commits commits;
  std::uint64_t subscriptions = 0;  // Of sessions and connections, not of rules.
  unsigned disk_percent = 0;        // How full the disk of the data directory is.
  DiskRoom room;
  std::uint64_t memory_used = 0, memory_limit = 0;  // In bytes.
  bool memory_is_high = false;                      // New work is refused for it.
  Bytes command_prefix = "vehicles";
};

// What the store holds, as it tells; GET /v1/store.
struct StoreFacts {
  struct Part {
    std::string name;
    std::uint64_t rows = 0;   // About; what was overwritten may count twice.
    std::uint64_t bytes = 0;  // In files and in memory.
  };

  std::string directory;
  std::uint32_t format = 0;
  std::uint32_t incarnation = 0;  // How often the node has started.
  std::vector<Part> families;
  std::uint64_t log_bytes = 0;
  std::uint64_t buffer_bytes = 0;    // Not in files yet.
  std::uint64_t free_bytes = 0;      // Of its file system.
  std::uint64_t write_rate_max = 0;  // Bytes a second, while the store slows its writer; else 0.
  bool writes_stopped = false;
  std::uint64_t journal_first = 0;  // 0: the journal is empty.
  std::uint64_t journal_next = 0;
};

// A copy of the store that was taken; POST /v1/store/backup.
struct BackupTold {
  std::string directory;
  WallMillis taken_at = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

// What a reload of the configuration came to.
struct ReloadOutcome {
  bool done = false;                  // Else everything is as it was.
  std::vector<std::string> problems;  // "FILE:LINE: error: ..." each; where done: notices.
};

class Control {
 public:
  virtual ~Control() = default;
  virtual std::uint16_t shards() const = 0;
  virtual std::uint16_t shard_of(BytesView device_or_key) const = 0;  // Of its lane.
  // Runs f on that shard's thread, then resumes the caller on its own executor (shard 0).
  virtual awaitable<void> run(std::uint16_t shard, std::function<void(ShardCore&)> f) = 0;
  // The same for something that is committed: f gets a request number to hand to LaneShard;
  // resumes when LaneShard answered it. False: the commit failed. f returns false when nothing
  // was submitted (then resumes at once with true).
  virtual awaitable<bool> commit(std::uint16_t shard,
                                 std::function<bool(ShardCore&, std::uint64_t request)> f) = 0;
  // Reads of the store, on the reader thread; resumes on shard 0.
  virtual awaitable<void> read(std::function<void(const storage::KvStore&)> f) = 0;
  virtual NodeFacts facts() const = 0;
  virtual awaitable<StoreFacts> store_facts() = 0;
  // On a thread of its own; resumes on shard 0 when the copy is on disk.
  virtual awaitable<Result<BackupTold>> backup(std::string directory) = 0;
  // Reads the configuration and its files again.
  virtual awaitable<ReloadOutcome> reload() = 0;
  virtual WallMillis wall() const = 0;
  virtual StoreMillis store_now() const = 0;
};

}  // namespace naru::broker

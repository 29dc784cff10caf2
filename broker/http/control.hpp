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
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

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
    std::uint64_t sync_us_p50 = 0;
    std::uint64_t sync_us_p99 = 0;
  };

  std::string id;
  std::string version;
  std::uint64_t uptime_s = 0;
  StoreMillis store_time = 0;
  std::vector<std::string> problems;  // One sentence each; the node is green when there is none.
  std::vector<Listener> listeners;
  std::vector<Stream> streams;  // As configured, in that order.
  Commits commits;
  Bytes command_prefix = "vehicles";
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
  // Reads the configuration and its files again.
  virtual awaitable<ReloadOutcome> reload() = 0;
  virtual WallMillis wall() const = 0;
  virtual StoreMillis store_now() const = 0;
};

}  // namespace naru::broker

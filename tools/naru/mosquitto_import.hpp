// tools/naru/mosquitto_import.hpp
//
// Makes a data directory of a mosquitto.db: the records a node would have written, had it taken
// these sessions, queues and retained messages itself.
//
// Edge: files. Where no node runs.
// Lives on:   the one thread of naru.
// Owned by:   nobody; functions and values.
// Bounded by: the file, which is read into memory, and commits of a few MiB.
#pragma once

#include <functional>
#include <string>

#include "storage/base/clock.hpp"
#include "storage/kv/kv_store.hpp"
#include "tools/naru/mosquitto_db.hpp"

namespace naru::tools {

struct ImportCounts {
  std::uint64_t sessions = 0, subscriptions = 0, queued = 0, unreleased = 0, retained = 0;
  std::uint64_t sent_again = 0;  // Of the queued: mosquitto_queue.hpp.
  std::uint64_t expired = 0;     // Sessions and messages whose time is over.
  std::uint64_t shared = 0;      // Shared subscriptions left out; no mosquitto writes any (2.1.2).
  std::uint64_t left = 0;        // QoS 0 messages and state of clients without a session.
};

struct ImportTimes {
  WallMillis wall = 0;     // Now.
  std::uint64_t node = 0;  // A fresh node id.
};

using ImportProgress = std::function<void(std::uint64_t done, std::uint64_t of)>;

// Into an empty store. The store as a whole is to be thrown away after an error.
Result<ImportCounts> import_rows(const MosquittoDb& db, storage::KvStore& store, ImportTimes times,
                                 const ImportProgress& progress);
// Refused: a data directory that is not empty. After an error nothing is in it.
Result<ImportCounts> import_mosquitto_db(const std::string& file, const std::string& data,
                                         const ImportProgress& progress);

}  // namespace naru::tools

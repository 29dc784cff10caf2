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

#include <array>
#include <functional>
#include <string>

#include "storage/base/clock.hpp"
#include "storage/kv/kv_store.hpp"
#include "tools/naru/mosquitto_db.hpp"

namespace naru::tools {

// What stays behind.
enum class Left : std::uint8_t {
  expired_sessions,
  ending_sessions,
  subscriptions,
  shared_subscriptions,
  queued_messages,
  expired_messages,
  qos0_messages,
  sys_messages
};
struct LeftRow {
  const char* name;
  const char* why;
};
inline constexpr std::array<LeftRow, 8> left_rows = {{
    {"expired_sessions", "their session expiry is over"},
    {"ending_sessions", "of MQTT 5 clients with session expiry 0: they end with the connection"},
    {"subscriptions", "their session stays behind"},
    {"shared_subscriptions", "their clients have to subscribe again"},
    {"queued_messages", "their session stays behind"},
    {"expired_messages", "their message expiry is over; queued or retained"},
    {"qos0_messages", "queued with QoS 0, which does not wait here"},
    {"sys_messages", "retained below $SYS; narud publishes its own"},
}};

struct ImportCounts {
  std::uint64_t sessions = 0, subscriptions = 0, queued = 0, unreleased = 0, retained = 0;
  std::uint64_t bridges = 0;     // Of the sessions.
  std::uint64_t sent_again = 0;  // Of the queued: mosquitto_queue.hpp.
  std::array<std::uint64_t, left_rows.size()> left{};

  void leave(Left why) { ++left[static_cast<std::size_t>(why)]; }
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

// broker/session/recovery.hpp
//
// Brings lanes, retained messages and routes back from the store at a start.
//
// Reads through KvStore only; one thread, before any shard runs. Nothing is written.
// Bounded by: one pass over the tables and one scan of the journal, in which cost lies: about
// 4 microseconds an entry.
//
// Order: sessions, filters, cursors, outboxes, then the journal, so that every entry finds what
// it belongs to; then commands and streams.
#pragma once

#include <functional>

#include "broker/routing/route_table.hpp"
#include "broker/session/lane_state.hpp"
#include "storage/kv/kv_store.hpp"
#include "storage/tables/horizon.hpp"

namespace naru::broker {

struct RecoveryTarget {
  std::function<LaneState&(LaneId)> lane;
  std::function<void(BytesView topic, std::uint64_t version, storage::MessageRef)> retained;
  RouteTable& routes;
  storage::Horizon& horizon;
};

struct Recovered {
  std::uint64_t next_journal_number = 1;
  std::uint64_t sessions = 0;
  std::uint64_t queued = 0;  // Places in queues.
  std::uint64_t retained = 0;
  std::uint64_t entries = 0;     // Of the journal.
  std::uint64_t unreadable = 0;  // Rows this release could not read; left alone and counted.
  std::uint64_t gaps = 0;        // Places in queues whose entry is missing.
};

Result<Recovered> recover(const storage::KvStore& store, const RecoveryTarget& target);

}  // namespace naru::broker

// storage/tables/meta.hpp
//
// The node's own rows: who it is, which format its store has, how often it started, store time, and
// which bridges it has had.
//
// Store time is what every stored expiry is measured in: a persisted base plus monotonic time. A
// machine whose clock is wrong, or jumps, expires nothing; time that passed while the node was
// down counts only when the kernel's clock can be believed.
//
// Sans-IO; pure but for the store it is handed. Used at start by one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/archive.hpp"
#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"
#include "storage/kv/kv_store.hpp"

namespace naru::storage {

inline constexpr std::uint32_t store_format = 1;

struct NodeRow {
  std::uint64_t node = 0;
  std::uint32_t format = store_format;
  std::uint32_t incarnation = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(node, format, incarnation);
  }
};

struct TimeRow {
  StoreMillis store = 0;
  WallMillis wall = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(store, wall);
  }
};

// The client ids here of bridges, of now and of before: what a removed one has left behind is
// known by it.
struct BridgesRow {
  struct Bridge {
    Bytes name, client_id;
    bool operator==(const Bridge&) const = default;
    template <class Archive>
    void fields(Archive& a) {
      a(name, client_id);
    }
  };
  std::vector<Bridge> bridges;
  bool operator==(const BridgesRow&) const = default;
  template <class Archive>
  void fields(Archive& a) {
    a(bridges);
  }
};

inline constexpr BytesView node_key = "node";
inline constexpr BytesView time_key = "time";
inline constexpr BytesView bridges_key = "bridges";

// Who the node is at its next start; `fresh_node` is its random id where it has none yet.
// Errc::newer: the store's format is of a later release.
Result<NodeRow> next_incarnation(const KvStore& store, std::uint64_t fresh_node);
// And commits it.
Result<NodeRow> begin_incarnation(KvStore& store, std::uint64_t fresh_node);

// Where store time goes on, given what was kept last and what the wall clock says now.
// wall_trusted: the clock is synchronised, so that the time the node was down may be counted.
StoreMillis resume_store_time(const TimeRow& kept, WallMillis wall, bool wall_trusted);

Result<TimeRow> read_time(const KvStore& store);
Result<BridgesRow> read_bridges(const KvStore& store);

// Whether a row of this family is one that this release knows and can read.
bool is_readable_meta(BytesView key, BytesView value);

}  // namespace naru::storage

// test/sim/model_committer.hpp
//
// ModelCommitter does what storage/kv/committer.hpp promises, and no more than that: batches of
// any size, sources in any order, a wait for the sync, and at a crash whatever the design allows
// to be on disk, down to any subset of lanes.
//
// Sans-IO: time is handed in, a seed decides. Lives on one thread. Owned by SimNode or a test; the
// disk must outlive it. Bounded by what the shards have on their way.
#pragma once

#include <compare>
#include <deque>
#include <set>
#include <vector>

#include "storage/base/clock.hpp"
#include "storage/base/rng.hpp"
#include "storage/kv/commit_batch.hpp"
#include "storage/kv/fault_kv.hpp"

namespace naru::test {

class ModelCommitter {
 public:
  using Outcomes = std::vector<storage::CommitOutcome>;

  ModelCommitter(storage::FaultKv& disk, std::uint64_t first_number, std::size_t sources, Rng rng);

  void submit(std::size_t source, std::vector<storage::CommitUnit>&& units);
  void resume(std::size_t source) { sources_[source].failing = false; }
  // Writes a batch, or ends the sync of one; then its outcomes are to be told, by source.
  // sync_time: how long the disk takes at most.
  std::vector<Outcomes> step(Instant now, Duration sync_time);
  bool idle() const;

  // The process dies. Of what was not answered, each lane keeps a prefix of its own; says which
  // part of which unit that is.
  struct Kept {
    std::size_t source = 0;
    std::uint64_t ticket = 0;
    std::uint32_t lane = 0;
    auto operator<=>(const Kept&) const = default;
  };
  std::set<Kept> crash_by_lanes();

 private:
  struct Source {
    std::deque<storage::CommitUnit> waiting;
    bool failing = false;
  };
  struct Member {
    std::size_t source;
    storage::CommitUnit unit;
    bool failed;
  };

  void write_batch();
  std::vector<Outcomes> answer();
  void commit(const std::vector<std::pair<std::size_t, storage::CommitUnit>>& units);

  storage::FaultKv& disk_;
  std::uint64_t next_number_;
  std::vector<Source> sources_;
  Rng rng_;
  storage::CommitBatch batch_;
  std::deque<Member> members_;  // Of the batch that is being synced.
  bool no_space_ = false;       // The batch found no room.
  Instant synced_at_ = Instant::never();
};

// The part of a unit each lane has, in a unit of its own: what a crash may tell apart.
struct LanePiece {
  std::uint32_t lane = 0;  // Beyond the lanes: rows that belong to none.
  storage::CommitUnit unit;
};
std::vector<LanePiece> split_by_lane(const storage::CommitUnit& unit);

}  // namespace naru::test

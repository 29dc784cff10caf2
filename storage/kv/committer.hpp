// storage/kv/committer.hpp
//
// Committer is the only writer of a KvStore: it gathers the units of all shards into batches, so
// that many wait for one sync, gives journal entries their numbers, and reports each unit's fate.
//
// Edge: owns one thread, and the one mutex between it and the shards. Calls Done on its thread.
// Lives on: submit(), resume() and stats() on any thread; the rest on the owner's.
// Owned by the composition root. The store must outlive it, and so must what Done refers to.
// Bounded by what callers have in flight: back-pressure is theirs, nothing is refused here.
//
//   idle      few units in the last batch: commit at once
//   busy      gather until `gather` after the last commit, or batch_bytes_max
//   lazy      nobody waits: up to lazy_max for a unit that cannot
//
// Order: a source's outcomes come back in the order of submission, whatever their fate. Units of
// different sources may be committed in any order, yet a batch is all or nothing.
// Failure: with no_space every unit of the batch fails, and so does all that its sources submit
// until they call resume(), so that nothing overtakes a record that failed. After any other error
// the store is left alone and every unit fails with Errc::io; the owner ends the process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "storage/base/clock.hpp"
#include "storage/base/metrics.hpp"
#include "storage/kv/commit_unit.hpp"
#include "storage/kv/kv_store.hpp"

namespace naru::storage {

class Committer {
 public:
  struct Options {
    Duration gather = Millis{2};
    Duration gather_max = Millis{5};  // After the first urgent unit arrived.
    std::size_t batch_bytes_max = std::size_t{1} << 20;
    Duration lazy_max = Millis{20};
    Durability durability = Durability::synced;
    // A batch never holds two units; shows what leans on records sharing a commit.
    bool single_unit_batches = false;
  };

  struct Stats {
    std::uint64_t commits = 0;
    std::uint64_t units = 0;   // Committed.
    std::uint64_t bytes = 0;   // Of the batches.
    std::uint64_t failed = 0;  // Units.
    Duration last_commit{0};
    Duration longest_commit{0};
    std::uint64_t next_journal_number = 0;
    Duration oldest_wait{0};     // How long ago the oldest unit came that has no outcome yet.
    TimeHistogram commit_times;  // Of each commit: writing and syncing it.
    TimeHistogram waits;         // From the arrival of its oldest unit to the end of a commit.
  };

  // The outcomes of one batch for one source, in order of submission.
  using Done = std::function<void(std::vector<CommitOutcome>&&)>;

  // The next journal entry gets `first_journal_number`.
  Committer(KvStore& store, Options options, std::uint64_t first_journal_number);
  ~Committer();  // Stops.
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // REQUIRES: not started. Done must not block, nor call stop(); it may submit.
  std::size_t add_source(Done done);
  void start();

  // REQUIRES: started. After stop() units are dropped and never answered.
  void submit(std::size_t source, std::vector<CommitUnit>&& units);
  // Ends the failing after no_space: units submitted from here on are tried again. To be called
  // once per failure, when every unit submitted so far has been answered.
  void resume(std::size_t source);

  // Commits what was submitted, without waiting for more, and joins the thread.
  void stop();

  Stats stats() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace naru::storage

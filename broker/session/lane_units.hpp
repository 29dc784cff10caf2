// broker/session/lane_units.hpp
//
// LaneUnits knows the units of one shard that are on their way to the disk, in order, and what to
// say when they have come back. UnitDraft is one that is being put together.
//
// After a unit has failed, everything behind it fails too, until nothing is on its way any more.
//
// Sans-IO: units go out through ShardOutput, outcomes come in.
// Lives on:   one shard; not thread-safe.
// Owned by:   LaneContext, by value. Settings and output must outlive it.
// Bounded by: the fronts' back-pressure, which asks for bytes().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "broker/session/failed_publishes.hpp"
#include "broker/session/lane_state.hpp"
#include "broker/session/pending_unit.hpp"
#include "broker/session/shard_output.hpp"

namespace naru::broker {

class LaneUnits {
 public:
  LaneUnits(const ShardSettings& settings, ShardOutput& output);

  // Takes back what a unit had reserved that will not be written. Set once, by LaneShard.
  std::function<void(PendingUnit&)> on_failed;

  // Sends it off; while others fail, it fails at once.
  void submit(PendingUnit pending, storage::CommitUnit unit, bool urgent);
  // The unit that this outcome is of. REQUIRES: outcomes come in the order of their units.
  PendingUnit take(const storage::CommitOutcome& outcome);
  // Tells whoever waits for it.
  void answer_committed(PendingUnit& pending);
  void answer_failed(PendingUnit& pending);
  // Without a commit: everything of it has long been done, or there is nothing to do.
  void accept(const ReplyTo& reply);
  // Without a commit: there is no room, or it is behind a failed one.
  void refuse(const ReplyTo& reply);
  // An earlier one of its publisher has failed, who did not know of it yet.
  bool is_behind_failed(const ReplyTo& reply) { return failed_.is_behind(reply); }
  // Nothing to commit of its own: it is answered with `other`; without one, now.
  void join(PendingUnit& pending, PendingUnit* other);

  bool failing() const { return failing_; }
  void begin_failing() { failing_ = true; }
  void end_failing();  // Everything that was behind the failure has come back.

  bool empty() const { return pending_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t journal_committed() const { return journal_committed_; }  // The highest told.
  // The newest on its way with a record that holds(record); nullptr: there is none.
  template <class Holds>
  PendingUnit* newest_with(Holds&& holds) {
    for (auto unit = pending_.rbegin(); unit != pending_.rend(); ++unit) {
      for (const PendingRecord& each : unit->records) {
        if (holds(each.record)) return &*unit;
      }
    }
    return nullptr;
  }
  std::uint16_t shard() const { return settings_.shard; }

 private:
  const ShardSettings& settings_;
  ShardOutput& output_;
  std::deque<PendingUnit> pending_;  // Submitted, in order, not committed yet.
  std::uint64_t submitted_ = 0;      // Ticket of the newest.
  std::size_t bytes_ = 0;
  std::uint64_t journal_committed_ = 0;
  FailedPublishers failed_;
  bool failing_ = false;
};

// What it reserved in its lanes is given back if it fails.
class UnitDraft {
 public:
  explicit UnitDraft(LaneUnits& units) : units_(units) {}

  // Numbers the record; `message` is what its journal entry is to hold.
  cluster::LanePosition add(LaneState& lane, storage::Body body,
                            storage::MessageRef message = nullptr);
  // What to tell a shard when it is committed, and when it is not.
  void reply(std::uint16_t shard, Hop on_success, Hop on_failure);
  void reply(const ReplyTo& to);  // hop::Committed to who publishes.
  void request(std::uint64_t number) { pending_.request = number; }  // Of the API.
  void retains(BytesView topic) { pending_.retained = Bytes{topic}; }
  storage::Batch& rows() { return unit_.rows; }
  bool empty() const { return pending_.records.empty() && unit_.rows.empty(); }
  // What it holds goes on its way; an empty one is forgotten.
  void submit(bool urgent);
  void join(PendingUnit* other) { units_.join(pending_, other); }

 private:
  LaneUnits& units_;
  PendingUnit pending_;
  storage::CommitUnit unit_;
};

}  // namespace naru::broker

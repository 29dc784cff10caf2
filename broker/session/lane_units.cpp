#include "broker/session/lane_units.hpp"

#include <algorithm>
#include <utility>

#include "storage/base/check.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

// ---- a unit that is being put together ---------------------------------------------------------

cluster::LanePosition UnitDraft::add(LaneState& lane, Body body, MessageRef message) {
  const cluster::LanePosition position = lane.log().reserve();
  PendingRecord& pending = pending_.records.emplace_back();
  pending.record.head = {lane.lane(), position.term, position.index};
  pending.record.body = std::move(body);
  pending.message = std::move(message);
  write_record(pending.record, unit_);
  return position;
}

void UnitDraft::reply(std::uint16_t shard, Hop on_success, Hop on_failure) {
  pending_.replies.push_back({shard, std::move(on_success), std::move(on_failure)});
}

void UnitDraft::reply(const ReplyTo& to) {
  if (to.number == 0) return;
  const hop::Committed committed{to.number, 0, to.publisher, units_.shard()};
  pending_.replies.push_back({to.shard, committed, committed});
}

void UnitDraft::submit(bool urgent) {
  if (!empty()) units_.submit(std::move(pending_), std::move(unit_), urgent);
}

// ---- units on their way ------------------------------------------------------------------------

LaneUnits::LaneUnits(const ShardSettings& settings, ShardOutput& output)
    : settings_(settings), output_(output) {}

void LaneUnits::submit(PendingUnit pending, CommitUnit unit, bool urgent) {
  if (failing_) return on_failed(pending);
  if (settings_.planted == PlantedFault::ack_before_commit) {
    std::erase_if(pending.replies, [this](PendingReply& reply) {
      if (!std::holds_alternative<hop::Committed>(reply.on_success)) return false;
      output_.hops[reply.shard].push_back(reply.on_success);
      return true;
    });
  }
  pending.bytes =
      unit.rows.size_bytes() + unit.parts.size() + (unit.message ? unit.message->size() : 0);
  bytes_ += pending.bytes;
  unit.ticket = ++submitted_;
  unit.urgent = urgent;
  output_.units.push_back(std::move(unit));
  pending_.push_back(std::move(pending));
}

PendingUnit LaneUnits::take(const CommitOutcome& outcome) {
  NARU_CHECK(!pending_.empty());
  NARU_CHECK(outcome.ticket == submitted_ - pending_.size() + 1);
  journal_committed_ = std::max(journal_committed_, outcome.journal_number);
  PendingUnit pending = std::move(pending_.front());
  pending_.pop_front();
  bytes_ -= pending.bytes;
  return pending;
}

void LaneUnits::end_failing() {
  failing_ = false;
  output_.resume_commits = true;
}

void LaneUnits::answer_committed(PendingUnit& pending) {
  for (PendingReply& reply : pending.replies) {
    output_.hops[reply.shard].push_back(std::move(reply.on_success));
  }
  if (pending.request != 0) output_.answered.push_back({pending.request, false});
}

void LaneUnits::answer_failed(PendingUnit& pending) {
  for (PendingReply& reply : pending.replies) {
    if (auto* const publish = std::get_if<hop::Committed>(&reply.on_failure)) {
      publish->failure = failed_.note(publish->publisher);
    }
    output_.hops[reply.shard].push_back(std::move(reply.on_failure));
  }
  if (pending.request != 0) output_.answered.push_back({pending.request, true});
}

void LaneUnits::accept(const ReplyTo& reply) {
  if (reply.number == 0) return;
  output_.hops[reply.shard].emplace_back(hop::Committed{reply.number, 0, {}, 0});
}

void LaneUnits::refuse(const ReplyTo& reply) {
  if (reply.number == 0) return;
  output_.hops[reply.shard].emplace_back(hop::Committed{reply.number, failed_.note(reply.publisher),
                                                        reply.publisher, settings_.shard});
}

void LaneUnits::join(PendingUnit& pending, PendingUnit* other) {
  for (PendingReply& reply : pending.replies) {
    if (other != nullptr) {
      other->replies.push_back(std::move(reply));
    } else {
      output_.hops[reply.shard].push_back(std::move(reply.on_success));
    }
  }
}

}  // namespace naru::broker

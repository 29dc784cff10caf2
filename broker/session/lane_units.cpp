// LaneShard's part that hands records to the committer and takes their outcomes back.

#include <algorithm>
#include <utility>

#include "broker/session/lane_shard.hpp"
#include "storage/base/check.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

cluster::LanePosition LaneShard::Unit::add(LaneState& lane, Body body, MessageRef message) {
  const cluster::LanePosition position = lane.log().reserve();
  PendingRecord& pending = pending_.records.emplace_back();
  pending.record.head = {lane.lane(), position.term, position.index};
  pending.record.body = std::move(body);
  pending.message = std::move(message);
  write_record(pending.record, unit_);
  return position;
}

void LaneShard::Unit::reply(std::uint16_t shard, Hop on_success, Hop on_failure) {
  pending_.replies.push_back({shard, std::move(on_success), std::move(on_failure)});
}

void LaneShard::Unit::reply(const ReplyTo& to) {
  if (to.number == 0) return;
  const std::uint16_t by = owner_->settings_.shard;
  pending_.replies.push_back(
      {to.shard, hop::Committed{to.number, false, by}, hop::Committed{to.number, true, by}});
}

// It has nothing to commit of its own: it is answered with the other unit; without one, now.
void LaneShard::Unit::join(PendingUnit* other) {
  for (PendingReply& reply : pending_.replies) {
    if (other != nullptr) {
      other->replies.push_back(std::move(reply));
    } else {
      owner_->output_.hops[reply.shard].push_back(std::move(reply.on_success));
    }
  }
}

void LaneShard::Unit::submit(bool urgent) {
  if (empty()) return;
  if (owner_->failing_) return owner_->fail(pending_);
  if (owner_->settings_.planted == PlantedFault::ack_before_commit) {
    std::erase_if(pending_.replies, [this](PendingReply& reply) {
      if (!std::holds_alternative<hop::Committed>(reply.on_success)) return false;
      owner_->output_.hops[reply.shard].push_back(reply.on_success);
      return true;
    });
  }
  pending_.bytes =
      unit_.rows.size_bytes() + unit_.parts.size() + (unit_.message ? unit_.message->size() : 0);
  owner_->pending_bytes_ += pending_.bytes;
  unit_.ticket = ++owner_->submitted_;
  unit_.urgent = urgent;
  owner_->output_.units.push_back(std::move(unit_));
  owner_->pending_.push_back(std::move(pending_));
}

void LaneShard::on_committed(const std::vector<CommitOutcome>& outcomes, LiveSink& live) {
  for (const CommitOutcome& outcome : outcomes) {
    NARU_CHECK(!pending_.empty());
    NARU_CHECK(outcome.ticket == submitted_ - pending_.size() + 1);
    journal_committed_ = std::max(journal_committed_, outcome.journal_number);
    PendingUnit pending = std::move(pending_.front());
    pending_.pop_front();
    pending_bytes_ -= pending.bytes;
    if (outcome.failure) {
      failing_ = true;
      fail(pending);
    } else {
      apply(pending, outcome, live);
    }
  }
  if (failing_ && pending_.empty()) recover();
}

// Everything behind the first failure has failed too: what it had reserved is given back.
void LaneShard::recover() {
  for (const auto& lane : lanes_) {
    if (lane) lane->rewind();
  }
  failing_ = false;
  output_.resume_commits = true;
}

void LaneShard::apply(PendingUnit& pending, const CommitOutcome& outcome, LiveSink& live) {
  for (PendingRecord& each : pending.records) {
    LaneState& lane = led(each.record.head.lane);
    lane.apply(each.record, outcome.journal_number, each.message, effects_);
    if (on_applied) on_applied(each.record);
    after(lane, each.record, live);
    take_effects(lane);
  }
  for (PendingReply& reply : pending.replies) {
    output_.hops[reply.shard].push_back(std::move(reply.on_success));
  }
  if (pending.request != 0) output_.answered.push_back({pending.request, false});
}

void LaneShard::fail(PendingUnit& pending) {
  ++counters_.failed_commits;
  for (const PendingRecord& each : pending.records) {
    LaneState& lane = led(each.record.head.lane);
    if (const auto* cursor = std::get_if<CursorPut>(&each.record.body)) {
      if (Session* const session = lane.find_session(cursor->session)) {
        session->cursor_in_flight = false;
        session->queue.cursor_failed();
        if (Group* const group = session->group.get()) {
          auto& received = group->received;
          received.insert(received.begin(), group->confirming.begin(), group->confirming.end());
          group->confirming.clear();
        }
        failed_cursors_.emplace_back(lane.lane(), cursor->session);
      }
    }
    if (const auto* put = std::get_if<SessionPut>(&each.record.body)) {
      fail_client(lane, put->client_id);
    } else if (const auto* erased = std::get_if<SessionErased>(&each.record.body)) {
      fail_client(lane, erased->client_id);
    } else if (const auto* queued = std::get_if<Enqueued>(&each.record.body)) {
      for (const Reference& reference : queued->references) {
        if ((reference.options & lent_flag) == 0) continue;
        answer(place_of(each.message->view().origin), AnswerKind::failed);
      }
    } else if (const auto* command = std::get_if<CommandPut>(&each.record.body)) {
      forget_latest(command->row);
      failed_commands_.push_back(
          {lane.lane(), command->row.device, command->row.id, state_of(command->row)});
    } else if (const auto* origin = std::get_if<OriginForgotten>(&each.record.body)) {
      once_lanes_[{origin->node, origin->incarnation, origin->shard, origin->number}].push_back(
          lane.lane());
      failed_forgets_.push_back(*origin);
    } else if (const auto* more = std::get_if<FiltersPut>(&each.record.body)) {
      filters_settled(lane, more->session);
    } else if (const auto* fewer = std::get_if<FiltersErased>(&each.record.body)) {
      filters_settled(lane, fewer->session);
    }
    fail_outbox(lane, each);
  }
  for (PendingReply& reply : pending.replies) {
    if (std::holds_alternative<hop::Committed>(reply.on_failure)) ++told_[reply.shard];
    output_.hops[reply.shard].push_back(std::move(reply.on_failure));
  }
  if (pending.request != 0) output_.answered.push_back({pending.request, true});
  if (!pending.retained.empty()) failed_retained_.insert(std::move(pending.retained));
}

// Without a commit: there is no room, or an earlier one of the same front has failed.
void LaneShard::refuse(const ReplyTo& reply) {
  if (reply.number == 0) return;
  ++told_[reply.shard];
  output_.hops[reply.shard].emplace_back(hop::Committed{reply.number, true, settings_.shard});
}

}  // namespace naru::broker

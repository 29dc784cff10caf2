#include "broker/session/shard_core.hpp"

#include <algorithm>
#include <utility>

#include "storage/base/check.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

ShardCore::ShardCore(ShardSettings settings, RouteTable& routes, const Gate& gate,
                     const RuleSet& rules, Rng rng)
    : settings_(std::move(settings)),
      publisher_(settings_, routes, rules, output_, counters_),
      lanes_(settings_, routes, publisher_, output_, counters_),
      front_(settings_, routes, gate, publisher_, output_, counters_, rng) {
  output_.hops.resize(settings_.shards);
  publisher_.use_gate(gate);
}

void ShardCore::begin_turn(Instant now, StoreMillis store_now, WallMillis wall) {
  front_.on_time(now, store_now, wall);
  lanes_.on_time(now, store_now, wall);
  wall_ = wall;
}

void ShardCore::reload(const ShardSettings& settings) {
  settings_.max_inflight = settings.max_inflight;
  settings_.max_payload_size = settings.max_payload_size;
  settings_.max_queued_messages = settings.max_queued_messages;
  settings_.max_queued_bytes = settings.max_queued_bytes;
  settings_.max_delayed_messages = settings.max_delayed_messages;
  settings_.drop_oldest = settings.drop_oldest;
  settings_.session_expiry_max_s = settings.session_expiry_max_s;
  settings_.max_keep_alive_s = settings.max_keep_alive_s;
  settings_.limits = settings.limits;
  front_.reload();
}

void ShardCore::set_room(DiskRoom room, bool low_memory) {
  settings_.low_memory = low_memory;
  if (low_memory) room.streams = room.sessions = false;
  lanes_.set_room(room);
  front_.set_room(room == DiskRoom{});
}

void ShardCore::on_committed(const std::vector<storage::CommitOutcome>& outcomes) {
  lanes_.on_committed(outcomes, live_);
}

void ShardCore::end_turn() {
  std::vector<Hop>& waiting = output_.hops[settings_.shard];
  do {
    while (!waiting.empty()) {
      local_.clear();
      std::swap(local_, waiting);
      for (Hop& hop : local_) {
        if (encode_hops) {
          Bytes bytes;
          encode_variant(hop, bytes);
          Hop copy;
          NARU_CHECK(decode_variant(bytes, copy));
          dispatch(copy);
        } else {
          dispatch(hop);
        }
      }
    }
    lanes_.end_turn(live_);
  } while (!waiting.empty());
  const std::size_t pending = lanes_.pending_bytes();
  if (pending > limits::uncommitted_bytes_per_shard) front_.over_pressure = true;
  if (pending < limits::uncommitted_bytes_per_shard / 2) front_.over_pressure = false;
  if (!front_.over_pressure) front_.resume_paused();
}

Instant ShardCore::next_deadline() const {
  return std::min(front_.next_deadline(), lanes_.next_deadline());
}

void ShardCore::Live::on_published(const Waiter& waiter, bool failed) {
  if (waiter.kind == Waiter::Kind::outbox) {
    shard_.lanes_.on_outbox_published(static_cast<LaneId>(waiter.place), waiter.owner, failed);
  } else {
    shard_.front_.on_published(waiter, failed);
  }
}

void ShardCore::tell(const std::vector<BrokerTopic>& news) {
  for (const BrokerTopic& each : news) {
    const storage::MessageRef message =
        broker_topics_.change(each, publisher_.next_origin(), wall_);
    if (!message || !publisher_.is_wanted(each.topic)) continue;
    publisher_.publish(message->view(), message, {}, Publisher::Attempt::only, {}, live_);
  }
}

void ShardCore::answer(const hop::RetainedQuery& query) {
  lanes_.on(query);
  if (query.until != 0) return;  // Told with the first step.
  hop::RetainedFound found = broker_topics_.answer(query);
  if (found.messages.empty()) return;
  output_.hops[settings_.shard_of_lane(query.lane)].emplace_back(std::move(found));
}

void ShardCore::dispatch(Hop& hop) {
  struct To {
    ShardCore& shard;
    void operator()(hop::PublishTo& h) const { shard.lanes_.on(h, shard.live_); }
    void operator()(hop::Committed& h) const { shard.publisher_.on(h, shard.live_); }
    void operator()(hop::Refused& h) const { shard.publisher_.on(h, shard.live_); }
    void operator()(hop::RetainedFound& h) const {
      if (h.session != 0) {
        shard.lanes_.on(h);
      } else {
        shard.front_.on(h);
      }
    }
    void operator()(hop::RetainedRest& h) const { shard.front_.on(h); }
    void operator()(hop::Attached& h) const { shard.front_.on(h); }
    void operator()(hop::Evict& h) const { shard.front_.on(h); }
    void operator()(hop::Subscribed& h) const { shard.front_.on(h); }
    void operator()(hop::Unsubscribed& h) const { shard.front_.on(h); }
    void operator()(hop::QueueDeliver& h) const { shard.front_.on(h); }
    void operator()(hop::QueueRelease& h) const { shard.front_.on(h); }
    void operator()(hop::Received& h) const { shard.front_.on(h); }
    void operator()(hop::Completed& h) const { shard.front_.on(h); }
    void operator()(hop::CommandDeliver& h) const { shard.front_.on(h); }
    void operator()(hop::Attach& h) const { shard.lanes_.on(h); }
    void operator()(hop::Detach& h) const { shard.lanes_.on(h); }
    void operator()(hop::Subscribe& h) const { shard.lanes_.on(h); }
    void operator()(hop::Unsubscribe& h) const { shard.lanes_.on(h); }
    void operator()(hop::QueueAck& h) const { shard.lanes_.on(h); }
    void operator()(hop::Receive& h) const { shard.lanes_.on(h); }
    void operator()(hop::Release& h) const { shard.lanes_.on(h); }
    void operator()(hop::PublishLater& h) const { shard.lanes_.on(h); }
    void operator()(hop::StreamAppend& h) const { shard.lanes_.on(h); }
    void operator()(hop::RetainedPut& h) const { shard.lanes_.on(h); }
    void operator()(hop::RetainedQuery& h) const { shard.answer(h); }
    void operator()(hop::CommandOffer& h) const { shard.lanes_.on(h); }
    void operator()(hop::CommandAcked& h) const { shard.lanes_.on(h); }
    void operator()(hop::CommandReply& h) const { shard.lanes_.on(h); }
    void operator()(hop::OriginForget& h) const { shard.lanes_.on(h); }
    void operator()(hop::RouteFence& h) const { shard.output_.fences.push_back(h); }
    void operator()(hop::FencePassed& h) const { shard.front_.on(h); }
    void operator()(hop::GroupMember& h) const { shard.lanes_.on(h); }
    void operator()(hop::GroupAnswer& h) const { shard.lanes_.on(h); }
    void operator()(hop::GroupLend& h) const { shard.front_.on(h); }
    void operator()(hop::GroupJoined& h) const { shard.front_.on(h); }
    void operator()(hop::GroupTaken& h) const {
      if (h.session != 0) {
        shard.lanes_.on(h);
      } else {
        shard.front_.on(h);
      }
    }
  };
  std::visit(To{*this}, hop);
}

}  // namespace naru::broker

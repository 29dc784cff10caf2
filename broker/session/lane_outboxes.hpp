// broker/session/lane_outboxes.hpp
//
// LaneOutboxes takes QoS 2 publishes of lasting sessions in, and publishes what the broker owes:
// those after their release, wills that have fired, delayed publishes that are due.
//
//   stored --PUBREL or due--> released --> publishing --all parts are on disk--> erased --> PUBCOMP
//                                ^             |
//                                +-- no room --+   tried again after a second, in order
//
// Sans-IO. Lives on one shard. Owned by LaneParts.
// Bounded by: Receive Maximum for each session, max_delayed_messages for each client, one will
// each.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/session/delayed_queue.hpp"
#include "broker/session/lane_context.hpp"
#include "broker/session/publisher.hpp"

namespace naru::broker {

struct LaneParts;

class LaneOutboxes {
 public:
  LaneOutboxes(LaneContext& context, LaneParts& parts, Publisher& publisher)
      : context_(context), parts_(parts), publisher_(publisher) {}

  void on(hop::Receive& receive);
  void on(const hop::Release& release);
  void on(hop::PublishLater& later);
  // A message the broker is to publish, from when this unit is committed.
  void owe(LaneState& lane, storage::OutboxRow row, storage::MessageRef message, UnitDraft& unit);
  // Every part of what was published is on disk, or one has failed.
  void on_published(LaneId lane, std::uint64_t id, bool failed);
  void on_fetched(const Fetched& fetched, LiveSink& live);
  // It is time to try once more.
  void due(LaneId lane, BytesView name);
  void end_turn(LiveSink& live);
  void committed(LaneState& lane, const storage::Record& record, LiveSink& live);
  // A record of an outbox was not written. What its client waits for it does not get; it has to
  // come back and ask again.
  void failed(LaneState& lane, const PendingRecord& each);
  // What the last run left.
  void restart(LaneState& lane, LiveSink& live);
  std::uint64_t delayed() const { return delayed_.size(); }  // Publishes that wait for their time.

 private:
  using OutboxName = std::pair<LaneId, std::uint64_t>;  // An id names one of its lane only.

  Session* receiver(LaneState& lane, SessionNumber number, ConnectionId connection,
                    std::uint16_t id);
  void publish_released(LiveSink& live);
  void take_up(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live);
  void publish(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live);
  bool is_behind_failed(const LaneState& lane, std::uint64_t id, const Outbox& outbox) const;
  void erase(LaneState& lane, std::uint64_t id, Outbox& outbox);
  void again(LaneId lane, std::uint64_t id, Outbox& outbox);
  void complete(const LaneState& lane, std::uint64_t id);
  void fail_release(LaneState& lane, std::uint64_t id);
  // Of delayed publishes (lane_delayed.cpp).
  void take_due();
  void publish_taken(LiveSink& live);
  void on_delayed_read(LaneState& lane, std::uint64_t id, Outbox& outbox);
  bool begin_delayed(Outbox& outbox);
  void delayed_again(LaneId lane, std::uint64_t id, Outbox& outbox);

  LaneContext& context_;
  LaneParts& parts_;
  Publisher& publisher_;
  // The connection whose PUBREL waits for PUBCOMP. A client that reconnects asks again; before that
  // it is owed nothing.
  boost::unordered_flat_map<OutboxName, std::pair<ConnectionId, std::uint16_t>> completing_;
  std::set<OutboxName> failed_;    // Found no room; will be published again.
  std::vector<OutboxName> retry_;  // In this turn.
  DelayedQueue delayed_;
  std::vector<ReleasedLive> released_;  // QoS 2 publishes nobody stored, now to be published.
};

}  // namespace naru::broker

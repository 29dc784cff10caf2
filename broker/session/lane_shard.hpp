// broker/session/lane_shard.hpp
//
// LaneShard leads the lanes of one shard. Its parts (lane_parts.hpp) decide what records say (which
// sessions, which numbers, what a limit drops) and hand them to be committed; when they are, it
// applies them in order and tells fronts, routes and parts what follows.
//
// Sans-IO: hops, outcomes of commits, messages read back and time go in; ShardOutput comes out.
// Lives on:   one shard; not thread-safe.
// Owned by:   ShardCore. Settings, routes, publisher and output must outlive it.
// Bounded by: units on their way to the disk, which the fronts' back-pressure bounds.
// Invariants: I1, I2, I4, I5, I7, I10 of the cluster design, for a lane with one replica.
#pragma once

#include <functional>

#include "broker/session/lane_parts.hpp"

namespace naru::broker {

class LaneShard {
 public:
  LaneShard(const ShardSettings& settings, RouteTable& routes, Publisher& publisher,
            ShardOutput& output, ShardCounters& counters);

  // ---- from fronts and from the leaders of other lanes, in order for each ----
  void on(hop::Attach& attach) { parts_.clients.on(attach); }
  void on(hop::Detach& detach) { parts_.clients.on(detach); }
  void on(hop::Subscribe& subscribe) { parts_.filters.on(subscribe); }
  void on(hop::Unsubscribe& unsubscribe) { parts_.filters.on(unsubscribe); }
  void on(hop::PublishTo& publish, LiveSink& live) { parts_.queues.on(publish, live); }
  void on(hop::RetainedFound& found) { parts_.queues.on(found); }  // For a lasting session.
  void on(const hop::QueueAck& ack) { parts_.queues.on(ack); }
  void on(hop::Receive& receive) { parts_.outboxes.on(receive); }
  void on(const hop::Release& release) { parts_.outboxes.on(release); }
  void on(hop::PublishLater& later) { parts_.outboxes.on(later); }
  void on(const hop::OriginForget& forget) { parts_.origins.on(forget); }
  void on(hop::StreamAppend& append) { parts_.streams.on(append); }
  void on(const hop::CommandOffer& offer) { parts_.commands.on(offer); }
  void on(const hop::CommandAcked& acked) { parts_.commands.on(acked); }
  void on(hop::CommandReply& reply) { parts_.commands.on(reply); }
  void on(hop::RetainedPut& put) { parts_.retained.on(put); }
  void on(const hop::RetainedQuery& query) { parts_.retained.on(query); }
  void on(hop::GroupMember& member) { parts_.groups.on(member); }
  void on(const hop::GroupAnswer& answer) { parts_.groups.on(answer); }
  void on(const hop::GroupTaken& taken) { parts_.groups.on(taken); }

  // ---- from the API; `request` comes back in ShardOutput::answered ----
  void submit(const NewCommand& command, std::uint64_t request) {
    parts_.commands.submit(command, request);
  }
  bool cancel(BytesView device, BytesView id, std::uint64_t request) {  // False: it has ended.
    return parts_.commands.cancel(device, id, request);
  }
  bool clear_retained(const std::vector<Bytes>& topics, std::uint64_t request) {  // False: none.
    return parts_.retained.clear(topics, request);
  }
  void put_consumer(BytesView stream, BytesView consumer, BytesView cursor, std::uint64_t request) {
    parts_.streams.put_consumer(stream, consumer, cursor, request);
  }

  // Of a client that is away, as if its time were over. False: it has none, or is not away.
  bool end_session(BytesView client_id, std::uint64_t request) {
    return parts_.clients.end_session(client_id, request);
  }

  // ---- from the edge ----
  void on_committed(const std::vector<storage::CommitOutcome>& outcomes, LiveSink& live);
  void on_fetched(const Fetched& fetched, LiveSink& live);
  void on_outbox_published(LaneId lane, std::uint64_t id, bool failed) {
    parts_.outboxes.on_published(lane, id, failed);
  }
  // Once at the beginning of every turn; expiries are looked at every 50 ms.
  void on_time(Instant now, StoreMillis store_now, WallMillis wall);
  Instant next_deadline() const { return next_sweep_; }
  // Cursors and queues that this turn touched.
  void end_turn(LiveSink& live);
  // After the lanes were loaded: takes up what the last run left (wills, outboxes, expiries).
  void start(LiveSink& live);
  void enforce_retention(BytesView stream, WallMillis keep_since) {
    parts_.streams.enforce_retention(stream, keep_since);
  }
  // From the next input on. Sessions, retained messages, streams and commands that find no room
  // are refused as if their commit had failed.
  void set_room(DiskRoom room) { context_.room = room; }
  // Marks every stream so that the next start reads little; then nothing more is appended.
  void mark_streams() { parts_.streams.mark_all(); }
  void put_meta(BytesView key, BytesView value);
  void load_retained(BytesView topic, std::uint64_t version, storage::MessageRef message) {
    parts_.retained.load(topic, version, std::move(message));
  }

  const PresenceSet& present() const { return parts_.clients.present(); }
  const Presence* present(BytesView client_id) const { return parts_.clients.find(client_id); }
  const RetainedIndex& retained() const { return parts_.retained.index(); }
  // Which part of the journal this shard has done with: everything below `needed`. What will be
  // committed from now on has numbers above `committed`.
  struct JournalNeed {
    std::uint64_t needed = 0;
    std::uint64_t committed = 0;
  };
  JournalNeed journal_need() const;

  LaneState& lane(LaneId id) { return *context_.lanes[id]; }
  bool leads(LaneId id) const { return context_.lanes[id] != nullptr; }
  template <class Visitor>
  void each_lane(Visitor&& visit) {
    context_.each_lane(visit);
  }
  bool idle() const { return context_.units.empty(); }
  std::size_t pending_bytes() const { return context_.units.bytes(); }
  std::uint64_t delayed() const { return parts_.outboxes.delayed(); }
  // Who listens to every committed record (tests, later the replicas).
  std::function<void(const storage::Record&)> on_applied;

 private:
  void apply(PendingUnit& pending, const storage::CommitOutcome& outcome, LiveSink& live);
  void fail(PendingUnit& pending);
  void fail(const PendingRecord& each);
  void follow(LaneState& lane, const storage::Record& record, LiveSink& live);
  void take_effects(LaneState& lane);
  void due(const Due& due);
  void retry_failed();

  LaneContext context_;
  LaneParts parts_;
  RouteTable& routes_;
  Effects effects_;
  Instant next_sweep_;
};

}  // namespace naru::broker

// broker/session/shard_core.hpp
//
// ShardCore is one shard without its thread: a front, the lanes it leads, and the local hops
// between them. The server gives it sockets, a committer and a clock; the simulator gives it its
// own.
//
// Sans-IO. One turn: begin_turn(), any inputs, end_turn(), then the edge empties output().
// Lives on:   one thread; not thread-safe.
// Owned by:   broker/net/shard.hpp or the simulator. Settings, routes, gate and rules must outlive
//             it.
// Bounded by: over_pressure, which makes the front stop reading.
#pragma once

#include <functional>

#include "broker/session/broker_topics.hpp"
#include "broker/session/front.hpp"
#include "broker/session/lane_shard.hpp"

namespace naru::broker {

class ShardCore {
 public:
  ShardCore(ShardSettings settings, RouteTable& routes, const Gate& gate, const RuleSet& rules,
            Rng rng);

  // What the disk has room for; low_memory: nothing new is taken on, and clients are read slowly.
  void set_room(DiskRoom room, bool low_memory = false);
  void begin_turn(Instant now, StoreMillis store_now, WallMillis wall);
  void on_hop(Hop& hop) { dispatch(hop); }
  void on_committed(const std::vector<storage::CommitOutcome>& outcomes);
  void on_fetched(const Fetched& fetched) { lanes_.on_fetched(fetched, live_); }
  // Delivers the local hops until none is left, then lets queues and cursors follow.
  void end_turn();
  // What the last run left behind, once the lanes are loaded.
  void start() { lanes_.start(live_); }

  Instant next_deadline() const;
  ShardOutput& output() { return output_; }
  Front& front() { return front_; }
  LaneShard& lanes() { return lanes_; }
  const ShardCounters& counters() const { return counters_; }
  const ShardSettings& settings() const { return settings_; }
  // What the broker says of itself, to whom it concerns now and later. On shard 0.
  void tell(const std::vector<BrokerTopic>& news);
  // What stands between a socket and MQTT broke: its handshake, or later.
  void count_failed_channel(bool was_open) {
    ++(was_open ? counters_.protocol_errors : counters_.failed_handshakes);
  }

  // Takes over those limits that a reload may change, and asks the gate anew about everybody.
  void reload(const ShardSettings& settings);

  // Under `front_hop encode` every local hop goes through bytes. Set before the first turn.
  bool encode_hops = false;

 private:
  // Publishes are done for fronts and for outboxes.
  class Live final : public LiveSink {
   public:
    explicit Live(ShardCore& shard) : shard_(shard) {}
    void deliver(ConnectionId connection, const storage::MessageView& view,
                 storage::MessageRef& kept, std::uint8_t options,
                 const std::vector<std::uint32_t>& ids) override {
      shard_.front_.deliver(connection, view, kept, options, ids);
    }
    void on_published(const Waiter& waiter, bool failed) override;

   private:
    ShardCore& shard_;
  };

  void dispatch(Hop& hop);
  void answer(const hop::RetainedQuery& query);

  ShardSettings settings_;
  ShardCounters counters_;
  ShardOutput output_;
  Publisher publisher_;
  LaneShard lanes_;
  Front front_;
  BrokerTopics broker_topics_;
  WallMillis wall_ = 0;
  Live live_{*this};
  std::vector<Hop> local_;
};

}  // namespace naru::broker

// broker/session/lane_state.hpp
//
// LaneState is everything durable one lane knows: clients and their sessions, messages the broker
// owes, commands and streams. apply() is its only writer: the same records in the same order
// give the same state on every node and after every restart.
//
// Sans-IO: no socket, clock, thread, log, matching or configuration.
// Lives on:   the shard that owns the lane; not thread-safe.
// Owned by:   LaneContext, by pointer. Effects name sessions by number, never by pointer.
// Bounded by: the limits the leader enforces at append.
#pragma once

#include <set>

#include "broker/command/ledger.hpp"
#include "broker/session/session.hpp"
#include "broker/stream/stream_lane.hpp"
#include "cluster/lanes/lane_log.hpp"

namespace naru::broker {

struct OriginLess {
  bool operator()(const storage::Origin& a, const storage::Origin& b) const;
};

storage::Origin origin_of(const storage::OriginForgotten& record);

// A step that was taken under an origin: into queues (stream empty) or into a stream.
struct Seen {
  storage::Origin origin;
  Bytes stream;
  std::uint64_t offset = 0;  // Where it lies in the stream; not part of its name.
  bool operator<(const Seen& other) const;
};

// What applying a record asks of the shard.
struct Effects {
  struct RouteChange {
    bool add = true;
    Bytes filter;
    Route route;
  };
  std::vector<RouteChange> routes;
  std::vector<SessionNumber> sendable, ended;  // Something new waits in their queues; gone.
  // What groups had lent to those that are gone. A QoS 2 message that its client may know is done:
  // nobody else may have it (MQTT-4.8.2-5).
  std::vector<hop::GroupAnswer> returned;
  std::vector<GroupPlace> forfeited;
  // PUBRECs that waited for the cursor of a group that has ended: nobody else can get those now.
  std::vector<hop::GroupAnswer> received;
  void clear() {
    routes.clear();
    sendable.clear();
    ended.clear();
    returned.clear();
    forfeited.clear();
    received.clear();
  }
};

class LaneState {
 public:
  explicit LaneState(LaneId lane = 0) : lane_(lane) {}

  // Applies a committed record; journal_number is of the entry that holds its message, 0 if
  // none. A record that was applied before changes nothing. REQUIRES: index order.
  void apply(const storage::Record& record, std::uint64_t journal_number,
             const storage::MessageRef& message, Effects& effects);

  LaneId lane() const { return lane_; }
  cluster::LaneLog& log() { return log_; }
  const cluster::LaneLog& log() const { return log_; }

  Client* find_client(BytesView client_id);
  Session* find_session(SessionNumber number);
  Outbox* find_outbox(std::uint64_t id);
  const Outbox* find_outbox(std::uint64_t id) const;
  bool has_seen(const Seen& step) const { return seen_.contains(step); }
  const std::set<Seen>& seen() const { return seen_; }
  StreamLane& stream(BytesView name);
  std::uint64_t markable(BytesView stream) const;  // The last offset a mark may stand for.
  const Bytes* consumer(BytesView stream, BytesView consumer) const;

  TextMap<Client>& clients() { return clients_; }
  const TextMap<Client>& clients() const { return clients_; }
  boost::unordered_flat_map<std::uint64_t, Outbox>& outboxes() { return outboxes_; }
  Ledger& ledger() { return ledger_; }
  const Ledger& ledger() const { return ledger_; }
  const TextMap<StreamLane>& streams() const { return streams_; }
  TextMap<StreamLane>& streams() { return streams_; }
  const TextMap<Bytes>& consumers() const { return consumers_; }

  // Everything a failed commit had reserved is given back.
  void rewind();
  // The durable state in a canonical form, equal exactly when the states are.
  Bytes digest() const;

  // For a start from the store (broker/session/recovery.hpp); not through apply() because rows
  // are outcomes, not records.
  void load_client(Bytes client_id, storage::SessionRow row);
  void load_outbox(std::uint64_t id, const storage::OutboxRow& row, std::uint64_t journal_number);
  void release_outbox(std::uint64_t id);
  void load_seen(Seen step) { seen_.insert(std::move(step)); }
  void load_consumer(BytesView stream, BytesView consumer, BytesView cursor);

 private:
  struct Applier;

  void end_session(Client& client, Effects& effects);
  void free_packet_id(std::uint64_t id, const storage::OutboxRow& row);

  LaneId lane_ = 0;
  cluster::LaneLog log_;
  TextMap<Client> clients_;
  boost::unordered_flat_map<SessionNumber, Session*> sessions_;
  boost::unordered_flat_map<std::uint64_t, Outbox> outboxes_;
  std::set<Seen> seen_;
  Ledger ledger_;
  TextMap<StreamLane> streams_;
  TextMap<Bytes> consumers_;  // stream, zero, consumer -> cursor
};

}  // namespace naru::broker

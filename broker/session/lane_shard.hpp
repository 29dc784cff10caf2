// broker/session/lane_shard.hpp
//
// LaneShard leads the lanes of one shard. It decides what records say (which sessions, which
// numbers, what a limit drops), hands them to be committed, applies them in order when they are,
// and then tells fronts, routes and outboxes what follows.
//
// Sans-IO: hops, outcomes of commits, messages read back and time go in; ShardOutput comes out.
// Lives on:   one shard; not thread-safe.
// Owned by:   ShardCore. Settings, routes, publisher and output must outlive it.
// Bounded by: units on their way to the disk, which the fronts' back-pressure bounds.
// Invariants: I1, I2, I4, I5, I7, I10 of the cluster design, for a lane with one replica.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <variant>

#include "broker/routing/retained_index.hpp"
#include "broker/session/delayed_queue.hpp"
#include "broker/session/lane_state.hpp"
#include "broker/session/pending_unit.hpp"
#include "broker/session/presence.hpp"
#include "broker/session/publisher.hpp"
#include "broker/session/shard_output.hpp"
#include "storage/base/deadlines.hpp"

namespace naru::broker {

class LaneShard {
 public:
  LaneShard(const ShardSettings& settings, RouteTable& routes, Publisher& publisher,
            ShardOutput& output, ShardCounters& counters);

  // ---- from fronts, in order per front ----
  void on(hop::Attach& attach);
  void on(hop::Detach& detach);
  void on(hop::Subscribe& subscribe);
  void on(hop::Unsubscribe& unsubscribe);
  void on(hop::PublishTo& publish, LiveSink& live);
  void on(const hop::QueueAck& ack);
  void on(hop::Receive& receive);
  void on(const hop::Release& release);
  void on(hop::PublishLater& later);
  void on(hop::StreamAppend& append);
  void on(hop::RetainedFound& found);  // For a persistent session: into its queue.
  void on(const hop::CommandOffer& offer);
  void on(const hop::CommandAcked& acked);
  void on(hop::CommandReply& reply);
  void on(const hop::OriginForget& forget);
  void on(hop::RetainedPut& put);
  void on(const hop::RetainedQuery& query);
  void on(hop::GroupMember& member);
  void on(const hop::GroupAnswer& answer);
  void on(const hop::GroupTaken& taken);

  // ---- from the API; `request` comes back in ShardOutput::answered ----
  void submit(const NewCommand& command, std::uint64_t request);
  bool cancel(BytesView device, BytesView id, std::uint64_t request);  // False: it has ended.
  bool clear_retained(const std::vector<Bytes>& topics, std::uint64_t request);  // False: none.
  void put_consumer(BytesView stream, BytesView consumer, BytesView cursor, std::uint64_t request);

  // ---- from the edge ----
  void on_committed(const std::vector<storage::CommitOutcome>& outcomes, LiveSink& live);
  void on_fetched(const Fetched& fetched, LiveSink& live);
  void on_outbox_published(LaneId lane, std::uint64_t id, bool failed);
  // Once at the beginning of every turn; expiries are looked at every 50 ms.
  void on_time(Instant now, StoreMillis store_now, WallMillis wall);
  Instant next_deadline() const { return next_sweep_; }
  // Cursors and queues that this turn touched.
  void end_turn(LiveSink& live);
  // After the lanes were loaded: takes up what the last run left (wills, outboxes, expiries).
  void start(LiveSink& live);
  void enforce_retention(BytesView stream, WallMillis keep_since);
  // From the next input on. Sessions, retained messages, streams and commands that find no room
  // are refused as if their commit had failed.
  void set_room(DiskRoom room) { room_ = room; }
  // Marks every stream so that the next start reads little; then nothing more is appended.
  void mark_streams();

  const TextMap<std::unique_ptr<Presence>>& present() const { return present_; }
  void put_meta(BytesView key, BytesView value);
  void load_retained(BytesView topic, std::uint64_t version, storage::MessageRef message);
  const RetainedIndex& retained() const { return retained_; }
  // Which part of the journal this shard has done with: everything below `needed`. What will be
  // committed from now on has numbers above `committed`.
  struct JournalNeed {
    std::uint64_t needed = 0;
    std::uint64_t committed = 0;
  };
  JournalNeed journal_need() const;

  LaneState& lane(LaneId id) { return *lanes_[id]; }
  bool leads(LaneId id) const { return lanes_[id] != nullptr; }
  template <class Visitor>
  void each_lane(Visitor&& visit) {
    for (const auto& lane : lanes_) {
      if (lane) visit(*lane);
    }
  }
  bool idle() const { return pending_.empty(); }
  std::size_t pending_bytes() const { return pending_bytes_; }
  std::uint64_t delayed() const { return delayed_.size(); }  // Publishes that wait for their time.
  // Who listens to every committed record (tests, later the replicas).
  std::function<void(const storage::Record&)> on_applied;

 private:
  // A unit that is being put together; what it reserved is given back if it fails.
  class Unit {
   public:
    explicit Unit(LaneShard& owner) : owner_(&owner) {}
    cluster::LanePosition add(LaneState& lane, storage::Body body,
                              storage::MessageRef message = nullptr);
    void reply(std::uint16_t shard, Hop on_success, Hop on_failure);
    void reply(const ReplyTo& to);  // hop::Committed to who publishes.
    void request(std::uint64_t number) { pending_.request = number; }
    void retains(BytesView topic) { pending_.retained = Bytes{topic}; }
    storage::Batch& rows() { return unit_.rows; }
    bool empty() const { return pending_.records.empty() && unit_.rows.empty(); }
    void submit(bool urgent);
    void join(PendingUnit* other);

   private:
    LaneShard* owner_;
    PendingUnit pending_;
    storage::CommitUnit unit_;
  };
  // What to do when a time in store time has come.
  enum class DueKind : char { expiry = 'e', will = 'w', command = 'c', outbox = 'o' };
  static Bytes due_key(DueKind kind, LaneId lane, BytesView name);
  LaneState& led(LaneId id);
  // A publish of the same front has failed, and the front had not heard of it yet.
  bool is_behind_failed(const ReplyTo& reply) const { return reply.heard != told_[reply.shard]; }
  void refuse(const ReplyTo& reply);
  void apply(PendingUnit& pending, const storage::CommitOutcome& outcome, LiveSink& live);
  void fail(PendingUnit& pending);
  void recover();
  void take_effects(LaneState& lane);
  void after(LaneState& lane, const storage::Record& record, LiveSink& live);
  void after_command(LaneState& lane, const CommandRow& row);
  void restart_client(LaneState& lane, const Bytes& client_id, Client& client);
  void after_outbox(LaneState& lane, const storage::Record& record, LiveSink& live);
  void attach_now(hop::Attach& attach);
  void connect_row(storage::SessionRow& row, hop::Attach& attach);
  void detach_now(hop::Detach& detach);
  void settle_client(const Bytes& client_id);
  void client_committed(LaneState& lane, const Bytes& client_id);
  void fire_will(LaneState& lane, BytesView client_id, storage::SessionRow& row, Unit& unit);
  void end_client(LaneState& lane, BytesView client_id, Client& client, Unit& unit);
  void due(const Bytes& key);
  void set_dues(LaneState& lane, BytesView client_id, const storage::SessionRow& row);
  void change_filters(LaneState& lane, Session& session);
  void filters_settled(LaneState& lane, SessionNumber number);
  void subscribe(LaneState& lane, Session& session, hop::Subscribe& subscribe);
  void unsubscribe(LaneState& lane, Session& session, hop::Unsubscribe& unsubscribe);
  bool over_limit(Session& session, std::size_t size);
  bool enqueue_one(LaneState& lane, const Delivery& delivery, const storage::MessageView& view,
                   std::vector<storage::Reference>& references);
  void deliver_now(Session& session, const Carried& message, const Delivery& delivery);
  void pump(LaneState& lane, Session& session);
  bool send_waiting(LaneState& lane, Session& session, std::uint64_t number);
  void fetch(LaneState& lane, Session& session, std::uint64_t number);
  // Of groups (lane_groups.cpp), and of what they lend to the sessions here.
  void open_group(const Bytes& client_id, hop::GroupMember& member);
  void end_group(LaneState& lane, Session& session);
  void retry_groups();
  void dispatch(LaneState& lane, Session& session);
  void lend(LaneState& lane, Session& session, std::uint64_t number, Group::Member& to);
  void pass_on(Group& group, const Carried& message, std::uint8_t options);
  void to_member(const Group::Member& to, Carried message, std::uint8_t options);
  void confirm(const hop::GroupAnswer& answer);
  void answer(const GroupPlace& place, AnswerKind kind);
  void tell_group(MemberState state, LaneId lane, SessionNumber session,
                  const storage::FilterRow& row);
  void tell_groups(LaneState& lane, Session& session);
  void settle_lent(Session& session);
  void give_back_lent(LaneState& lane, Session& session);
  void part(LaneState& lane, Session& session);
  void restart_session(LaneState& lane, Session& session);
  void touch(LaneState& lane, Session& session);
  void commit_cursor(LaneState& lane, Session& session);
  void put_retained(BytesView topic, const storage::MessageRef& message, ReplyTo reply);
  void expire_retained();
  void retry_retained();
  void leave(Leave& leave);
  void fail_client(LaneState& lane, const Bytes& client_id);
  void retry_failed();
  Session* receiver(LaneState& lane, SessionNumber number, ConnectionId connection,
                    std::uint16_t id);
  void owe(LaneState& lane, storage::OutboxRow row, storage::MessageRef message, Unit& unit);
  Route route_of_client(LaneState& lane, BytesView client_id) const;
  void take_up(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live);
  void publish_outbox(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live);
  bool is_behind_failed(const LaneState& lane, std::uint64_t id, const Outbox& outbox) const;
  void retry_outbox(LaneId lane, std::uint64_t id, Outbox& outbox);
  void erase_outbox(LaneState& lane, std::uint64_t id, Outbox& outbox);
  void complete(const LaneState& lane, std::uint64_t id);
  void take_due();
  void publish_taken(LiveSink& live);
  void on_delayed_read(LaneState& lane, std::uint64_t id, Outbox& outbox);
  bool begin_delayed(Outbox& outbox);
  void retry_delayed(LaneId lane, std::uint64_t id, Outbox& outbox);
  void fail_outbox(LaneState& lane, const PendingRecord& each);
  bool append_step(LaneState& lane, BytesView device, BytesView id, CommandState state,
                   BytesView result, Unit& unit);
  void step(LaneState& lane, BytesView device, BytesView id, CommandState state, bool urgent);
  const CommandRow* latest(LaneState& lane, BytesView device, BytesView id);
  void put_command(LaneState& lane, CommandRow row, Unit& unit, storage::MessageRef message);
  void forget_latest(const CommandRow& row);
  Session* session_for_commands(LaneState& lane, const CommandRow& row);
  void queue_command(LaneState& lane, const CommandRow& row);
  storage::MessageRef command_message(const CommandRow& row);
  void offer(LaneState& lane, const CommandRow& row, ConnectionId connection);
  void retry_command(const FailedCommand& failed);
  void withdraw(LaneState& lane, Session& session, const CommandRow& row);
  PendingUnit* pending_step(BytesView device, BytesView id);

  void to_front(ConnectionId connection, Hop hop) {
    output_.hops[shard_of(connection)].push_back(std::move(hop));
  }

  const ShardSettings& settings_;
  RouteTable& routes_;
  Publisher& publisher_;
  ShardOutput& output_;
  ShardCounters& counters_;
  std::vector<std::unique_ptr<LaneState>> lanes_;  // By lane; empty where another shard leads.
  std::deque<PendingUnit> pending_;                // Submitted, in order, not committed yet.
  std::uint64_t submitted_ = 0;                    // Ticket of the newest.
  std::size_t pending_bytes_ = 0;
  std::vector<std::pair<LaneId, SessionNumber>> touched_;
  RetainedIndex retained_;
  std::uint64_t retained_versions_ = 0;
  std::uint64_t journal_committed_ = 0;  // The highest number an outcome has told.
  TextMap<std::unique_ptr<Presence>> present_;
  // Clients with a record on its way: what else is said about them waits for it, so that every
  // decision is made on committed state.
  using ClientHop = std::variant<hop::Attach, hop::Detach, hop::GroupMember>;
  TextMap<std::deque<ClientHop>> busy_;
  TextMap<LatestCommand> latest_;  // Commands with a record on its way, as they will be.
  std::map<storage::Origin, std::vector<LaneId>, OriginLess> once_lanes_;
  // Outbox id -> the connection whose PUBREL waits for PUBCOMP. A client that reconnects asks
  // again; before that it is owed nothing. An id names an outbox of its lane only.
  using OutboxName = std::pair<LaneId, std::uint64_t>;
  boost::unordered_flat_map<OutboxName, std::pair<ConnectionId, std::uint16_t>> completing_;
  std::set<OutboxName> failed_outboxes_;  // Found no room; will be published again.
  std::vector<std::pair<LaneId, std::uint64_t>> retry_outbox_;
  DelayedQueue delayed_;
  std::vector<ReleasedLive> released_;  // QoS 2 publishes nobody stored, now to be published.
  std::uint64_t epochs_ = 0;
  Deadlines<Bytes, StoreMillis> dues_;
  Effects effects_;
  std::vector<std::pair<std::uint64_t, storage::MessageRef>> recent_;  // Read back lately.
  std::vector<std::uint32_t> told_;  // By shard of the front: failed publishes.
  DiskRoom room_;
  std::vector<std::pair<LaneId, SessionNumber>> failed_cursors_;
  std::vector<storage::OriginForgotten> failed_forgets_;
  std::vector<FailedCommand> failed_commands_;
  std::set<Bytes> failed_retained_;
  TextMap<Leave> leaving_;                        // Until it is on disk.
  TextMap<std::deque<ClientHop>> failed_groups_;  // Whose record found no room; who waited.
  std::vector<std::pair<LaneId, SessionNumber>> stalled_groups_;
  bool failing_ = false;  // After a failed commit, until everything behind it failed too.
  Instant next_sweep_;
  StoreMillis store_now_ = 0;
  WallMillis wall_ = 0;
};

}  // namespace naru::broker

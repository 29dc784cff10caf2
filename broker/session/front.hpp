// broker/session/front.hpp
//
// Front speaks MQTT with the clients connected to one shard. It holds everything of clean
// sessions; for persistent ones it is the hands of their lane.
//
// Sans-IO: bytes, hops and time go in, output gathers in each connection and in ShardOutput.
// Lives on one shard; not thread-safe. Owned by ShardCore; what its constructor takes must outlive
// it. Bounded as connection.hpp says; connections by the listener. Spec: MQTT 3.1.1, 5.0 ch. 3, 4.
// Order: what a client is owed is appended to its output at once, and sent once a turn.
#pragma once

#include "broker/auth/gate.hpp"
#include "broker/mqtt/decoder.hpp"
#include "broker/session/connection_table.hpp"
#include "broker/session/denials.hpp"
#include "broker/session/publisher.hpp"
#include "broker/session/retained_asker.hpp"
#include "storage/base/deadlines.hpp"
#include "storage/base/rng.hpp"

namespace naru::broker {

class Front final : public LiveSink {
 public:
  Front(const ShardSettings& settings, RouteTable& routes, const Gate& gate, Publisher& publisher,
        ShardOutput& output, ShardCounters& counters, Rng rng);

  // ---- from the edge ----
  void opened(ConnectionId id, Peer peer);
  void introduce(ConnectionId id, Peer peer);  // More is known of it, before its first packet.
  // Takes whole packets off the front of `bytes` and says how many bytes that was. The rest comes
  // again with more behind it, or when the connection is in ShardOutput::resumed.
  std::size_t receive(ConnectionId id, BytesView bytes);
  void closed(ConnectionId id);    // The socket is gone. Also after ShardOutput::closing.
  Bytes* output(ConnectionId id);  // To be sent; the edge erases what it sent.
  // Its output is being sent; what comes from here on makes it dirty again.
  void sending(ConnectionId id);
  void drained(ConnectionId id);  // It has sent enough to be read from again.
  void on_time(Instant now, StoreMillis store_now, WallMillis wall);
  Instant next_deadline() const;
  void resume_paused();
  void set_room(bool enough);  // On the disk: who is held for it may come back.
  // An operator ends it; an MQTT 5 client hears 0x98 and the text. False: it is not connected.
  bool kick(ConnectionId id, BytesView text);
  void withdraw(ConnectionId id, BytesView why);  // A right of it has ended: 0x98.
  void reload();                                  // Ends whom the gate would not let in any more.
  void on_admission(ConnectionId id, const Admission& admission);  // To an Application.
  void shut_down();  // Ends every connection; its reason says that the node goes away.
  void on_right(ConnectionId id, const RightAnswer& answer);  // To a RightQuestion.

  // ---- from lanes ----
  void on(const hop::Attached& attached);
  void on(const hop::Evict& evict);
  void on(hop::Subscribed& subscribed);
  void on(const hop::Unsubscribed& unsubscribed);
  void on(hop::QueueDeliver& deliver);
  void on(const hop::QueueRelease& release);
  void on(const hop::Received& received);
  void on(const hop::Completed& completed);
  void on(const hop::FencePassed& passed);
  void on(hop::RetainedFound& found);
  void on(hop::RetainedRest& rest);
  void on(hop::CommandDeliver& deliver);
  void on(const hop::GroupJoined& joined);
  void on(hop::GroupLend& lend);
  void on(const hop::GroupTaken& taken);
  void deliver(ConnectionId connection, const storage::MessageView& view, storage::MessageRef& kept,
               std::uint8_t options, const std::vector<std::uint32_t>& subscription_ids) override;
  void on_published(const Waiter& waiter, bool failed) override;
  std::size_t size() const { return connections_.size(); }
  Denials& denials() { return denials_; }
  bool over_pressure = false;  // Set by ShardCore: too much is waiting for the disk.
  const Connection* find(ConnectionId id) const { return connections_.find(id); }

 private:
  using MessageView = storage::MessageView;
  using ReasonCode = mqtt::ReasonCode;
  Connection* find(ConnectionId id) { return connections_.find(id); }
  void touch(Connection& c);
  void watch(const Connection& c);
  bool may_read(const Connection& c) const;
  bool waits_for_rate(Connection& c, const mqtt::Frame& frame);
  bool handle(Connection& c, const mqtt::Frame& frame, std::size_t& consumed);
  void handle_live(Connection& c, const mqtt::Frame& frame);
  void end(Connection& c, ReasonCode reason, BytesView text = {});
  void break_off(Connection& c, ReasonCode reason, mqtt::PacketType in, BytesView what);  // Logged.
  void refuse_frame(Connection& c, mqtt::Framing framing, mqtt::Frame frame, BytesView bytes);
  void end_for_room(Connection& c);  // 3.x, which has no word for it, is held first.
  void close(Connection& c);
  void end_if_too_large(Connection& c, std::size_t before);
  void fail(Connection& c, const mqtt::Frame& frame, mqtt::DecodeError error);
  bool on_connect(Connection& c, const mqtt::Frame& frame);
  bool read_connect(Connection& c, const mqtt::Frame& frame, mqtt::Connect& connect);
  Admission ask(const Connection& c, const mqtt::Connect& connect) const;
  void hold(Connection& c, const mqtt::Frame& frame, Connection::State state);
  void enter_held(Connection& c, const Admission& admission);
  void enter(Connection& c, mqtt::Connect& connect, const mqtt::Frame& frame,
             const Admission& admission);
  void begin_proving(Connection& c, const mqtt::Connect& connect, const mqtt::Frame& frame);
  std::optional<Bytes> challenge(Connection& c, BytesView client_first);
  void handle_proving(Connection& c, const mqtt::Frame& frame);
  void refuse_proving(Connection& c, ReasonCode reason, Bytes why);
  void on_auth(Connection& c, const mqtt::Frame& frame);
  void give_up(Connection& c);  // It has taken too long to come in.
  void attach(Connection& c, const mqtt::Connect& connect);
  ReasonCode judge(Connection& c, mqtt::Connect& connect, const Admission& admission);
  NotOffered judge_will(Connection& c, mqtt::Connect& connect);  // Or success.
  std::optional<storage::WillRow> will_row(const Connection& c, const mqtt::Will& will);
  void refuse(Connection& c, ReasonCode reason, BytesView text = {});
  void detach(Connection& c, bool publish_will, ReasonCode reason,
              std::optional<std::uint32_t> expiry_s);
  void on_publish(Connection& c, const mqtt::Frame& frame);
  void publish_once(Connection& c, mqtt::PacketId id, const MessageView& view, StoreMillis due_at);
  void publish_twice(Connection& c, mqtt::PacketId id, const MessageView& view, StoreMillis due_at);
  // REQUIRES: c.is_ruled(). A refusal is counted and explained.
  bool may(const Connection& c, Denial::Kind kind, BytesView topic);
  bool knows_right(Connection& c, Denial::Kind kind, BytesView topic);  // Else asks.
  bool was_granted(const Connection& c, Denial::Kind kind, BytesView topic);
  void explain(const Connection& c, Denial::Kind kind, BytesView topic, Bytes why);
  void deny(Connection& c, const mqtt::Publish& p, ReasonCode reason, AckText text = {});
  storage::MessageView view_of(Connection& c, const mqtt::Publish& p);
  // What of a message's properties goes on with it; valid until the next message.
  BytesView passing_properties(BytesView properties, bool clean);
  void acknowledge(Connection& c, mqtt::PacketId id, mqtt::PacketType, ReasonCode, AckText = {});
  void release_acks(Connection& c);
  Route route_of(const Connection& c) const;
  void on_ack(Connection& c, const mqtt::Frame& frame);
  void on_pubrel(Connection& c, const mqtt::Ack& ack);
  void on_clean_ack(Connection& c, mqtt::PacketType type, const mqtt::Ack& ack);
  void send_waiting(Connection& c);
  void on_subscribe(Connection& c, const mqtt::Frame& frame);
  void on_unsubscribe(Connection& c, const mqtt::Frame& frame);
  bool knows_rights(Connection& c, const mqtt::Subscribe& packet);
  std::uint8_t judge_filter(const Connection& c, const mqtt::SubscribeEntry& entry);
  void subscribe_clean(Connection& c, hop::Subscribe subscribe);
  void answer_subscribe(Connection& c, hop::Subscribed subscribed);
  void finish_subscribe(Connection& c, hop::Subscribed subscribed);
  void suback(Connection& c, mqtt::PacketId id, BytesView codes);
  void on_disconnect(Connection& c, const mqtt::Frame& frame);
  void tell_group(Connection& c, MemberState state, const storage::FilterRow& row,
                  mqtt::PacketId reply);
  bool on_lent_ack(Connection& c, mqtt::PacketType type, const mqtt::Ack& ack);
  void answer(const GroupPlace& place, AnswerKind kind);
  void drop_subscriptions(Connection& c);
  void write(Connection& c, const storage::MessageView& view, mqtt::PacketId id,
             std::uint8_t options, bool dup, const std::vector<std::uint32_t>& ids);
  bool fits(const Connection& c, const storage::MessageView& view, std::uint8_t options,
            const std::vector<std::uint32_t>& ids) const;
  const ShardSettings& settings_;
  RouteTable& routes_;
  const Gate& gate_;
  Publisher& publisher_;
  ShardOutput& output_;
  ShardCounters& counters_;
  Denials denials_;
  RetainedAsker retained_;
  Throttle throttle_;
  Rng rng_;
  ConnectionTable connections_;
  Deadlines<ConnectionId> deadlines_;
  std::vector<ConnectionId> paused_;
  bool has_room_ = true;  // As far as is known.
  Bytes scratch_;         // Properties of the publish at hand.
  std::vector<std::pair<ConnectionId, Bytes>> acked_commands_;  // In this turn.
  Instant now_;
  StoreMillis store_now_ = 0;
  WallMillis wall_ = 0;
};

}  // namespace naru::broker

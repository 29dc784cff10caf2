// LaneShard's part that decides about clients: who is connected, which session they get, when
// sessions and wills end.

#include <algorithm>

#include "broker/session/lane_shard.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t taken_over = 0x8e;
constexpr std::uint8_t node_stopped = 0x8b;
constexpr std::uint8_t quota_exceeded = 0x97;
constexpr StoreMillis retry_after = 1'000;

OriginForgotten forgotten(const Origin& origin) {
  return {origin.node, origin.incarnation, origin.shard, origin.number};
}

}  // namespace

void LaneShard::on(hop::Attach& attach) {
  const auto busy = busy_.find(attach.client_id);
  if (busy != busy_.end()) return busy->second.emplace_back(std::move(attach)), void();
  attach_now(attach);
}

void LaneShard::on(hop::Detach& detach) {
  const auto busy = busy_.find(detach.client_id);
  if (busy != busy_.end()) return busy->second.emplace_back(std::move(detach)), void();
  detach_now(detach);
}

// The record of this client is committed, or has failed: what waited for it goes on.
void LaneShard::settle_client(const Bytes& client_id) {
  auto busy = busy_.find(client_id);
  if (busy == busy_.end()) return;
  std::deque<ClientHop> waiting = std::move(busy->second);
  busy_.erase(busy);
  while (!waiting.empty()) {
    ClientHop next = std::move(waiting.front());
    waiting.pop_front();
    std::visit([this](auto& hop) { on(hop); }, next);
  }
}

// What a connection changes in its client's row, whether the session is new or goes on.
void LaneShard::connect_row(SessionRow& row, hop::Attach& attach) {
  row.protocol = attach.protocol;
  row.expiry_s = attach.expiry_s;
  row.connected = true;
  row.changed_at = store_now_;
  row.changed_wall = wall_;
  row.reason = 0;
  row.will = std::move(attach.will);
  row.will_due_at = 0;
  row.epoch = std::uint64_t{settings_.incarnation} << 40 | ++epochs_;
}

void LaneShard::attach_now(hop::Attach& attach) {
  LaneState& lane = led(cluster::lane_of(attach.client_id));
  Client* const client = lane.find_client(attach.client_id);
  hop::Attached answer{attach.connection, hop::AttachResult::accepted, false, 0, 0};
  const bool has_session = client != nullptr && client->row.number != 0;
  if (has_session && client->row.identity != attach.identity) {
    ++counters_.wrong_identity;
    answer.result = hop::AttachResult::wrong_identity;
    return to_front(attach.connection, answer);
  }
  const bool makes_session = attach.expiry_s != 0 && (!has_session || attach.clean_start);
  if (makes_session && !room_.sessions) {
    ++counters_.refused_disk_full;
    answer.result = hop::AttachResult::no_space;
    return to_front(attach.connection, answer);
  }
  auto& place = present_[attach.client_id];
  if (!place) place = std::make_unique<Presence>();
  Presence& presence = *place;
  if (presence.connection != 0) {
    ++counters_.takeovers;
    to_front(presence.connection, hop::Evict{presence.connection, taken_over});
  }
  if (has_session) {
    part(lane, *client->session);
  }
  Unit unit{*this};
  SessionRow row = client != nullptr ? client->row : SessionRow{};
  const bool resumes = has_session && !attach.clean_start;
  const auto left = leaving_.find(attach.client_id);
  if (left != leaving_.end() && !left->second.detach.publish_will) row.will.reset();
  // The will of the connection before: cancelled only where its session goes on and it was to
  // be delayed, published before CONNACK otherwise.
  if (row.will && (!resumes || row.will->delay_s == 0)) {
    fire_will(lane, attach.client_id, row, unit);
  }
  const SessionNumber replaced = resumes ? 0 : row.number;
  if (!resumes) {
    row = SessionRow{};
    row.identity = attach.identity;
    row.created_at = store_now_;
    if (attach.expiry_s != 0) row.number = lane.log().next().packed();
  }
  connect_row(row, attach);
  answer.session_present = resumes;
  answer.session = row.number;
  answer.epoch = row.epoch;
  const auto window = std::min(attach.receive_maximum, settings_.max_inflight);
  presence = Presence{
      attach.connection,  row.epoch, attach.keep_alive_s,       window,         attach.protocol,
      attach.clean_start, wall_,     std::move(attach.address), attach.identity};
  dues_.cancel(due_key(DueKind::expiry, lane.lane(), attach.client_id));
  dues_.cancel(due_key(DueKind::will, lane.lane(), attach.client_id));
  if (row.number == 0 && !row.will && client == nullptr) {
    return to_front(attach.connection, answer);  // Nothing of it outlives the connection.
  }
  if (row.number != 0 && !resumes) {
    output_.horizon.push_back(
        {HorizonChange::Kind::session_opened, lane.lane(), row.number, 0, {}});
  }
  if (row.number == 0 && !row.will) {
    unit.add(lane, SessionErased{attach.client_id, replaced});
  } else {
    unit.add(lane, SessionPut{attach.client_id, std::move(row), replaced});
  }
  hop::Attached refusal = answer;
  refusal.result = hop::AttachResult::no_space;
  unit.reply(shard_of(attach.connection), answer, refusal);
  busy_[attach.client_id];
  unit.submit(true);
}

void LaneShard::detach_now(hop::Detach& detach) {
  const auto presence = present_.find(detach.client_id);
  if (presence == present_.end() || presence->second->connection != detach.connection) return;
  const std::uint64_t epoch = presence->second->epoch;
  present_.erase(presence);
  Leave left{std::move(detach), epoch};
  leave(left);
}

// After a SessionPut or SessionErased of this client is applied.
void LaneShard::client_committed(LaneState& lane, const Bytes& client_id) {
  leaving_.erase(client_id);
  Client* const client = lane.find_client(client_id);
  const auto presence = present_.find(client_id);
  const bool connected = presence != present_.end();
  if (client != nullptr) {
    set_dues(lane, client_id, client->row);
    if (client->session && connected && client->row.connected &&
        client->row.epoch == presence->second->epoch) {
      Session& session = *client->session;
      session.connection = presence->second->connection;
      session.epoch = presence->second->epoch;
      session.queue.attach(presence->second->window);
      tell_groups(lane, session);
      touch(lane, session);
    }
  }
  settle_client(client_id);
}

// The will leaves the row and becomes a message the broker owes; its identity was fixed at
// CONNECT, so however often it is tried it counts once.
void LaneShard::fire_will(LaneState& lane, BytesView client_id, SessionRow& row, Unit& unit) {
  const WillRow will = std::move(*row.will);
  row.will.reset();
  const MessageRef stored = will.message ? Message::decode(*will.message) : nullptr;
  if (!stored) return;
  MessageView view = stored->view();
  if (!publisher_.admits_will({row.identity, client_id}, view.topic)) return;
  view.stamp.received_at = wall_;
  if (will.expiry_s != 0) view.expires_at = store_now_ + std::uint64_t{will.expiry_s} * 1000;
  MessageRef message = Message::make(view);
  OutboxPut body;
  body.row = {OutboxKind::will, Bytes{client_id}, 0, 0, true};
  body.message = Message::encoded_of(message);
  output_.horizon.push_back({HorizonChange::Kind::outbox_opened, lane.lane(),
                             lane.log().next().packed(), 0, view.origin});
  unit.add(lane, std::move(body), std::move(message));
  ++counters_.wills;
}

void LaneShard::end_client(LaneState& lane, BytesView client_id, Client& client, Unit& unit) {
  SessionRow row = client.row;
  if (row.will) fire_will(lane, client_id, row, unit);
  unit.add(lane, SessionErased{Bytes{client_id}, row.number});
}

void LaneShard::due(const Bytes& key) {
  ByteReader in{key};
  const auto kind = static_cast<DueKind>(in.u8());
  LaneState& lane = led(in.u16());
  const BytesView name = in.rest();
  if (kind == DueKind::command) {
    const std::size_t zero = name.find('\0');
    return step(lane, name.substr(0, zero), name.substr(zero + 1), CommandState::expired, true);
  }
  if (kind == DueKind::outbox) {
    retry_outbox_.emplace_back(lane.lane(), in.u64());
    return;
  }
  if (busy_.contains(name)) return dues_.set(key, store_now_ + 1);
  Client* const client = lane.find_client(name);
  if (client == nullptr || client->row.connected) return;
  Unit unit{*this};
  if (kind == DueKind::expiry) {
    end_client(lane, name, *client, unit);
  } else if (client->row.will) {
    SessionRow row = client->row;
    fire_will(lane, name, row, unit);
    // A client without a session was kept for its will alone.
    if (row.number == 0) {
      unit.add(lane, SessionErased{Bytes{name}, 0});
    } else {
      unit.add(lane, SessionPut{Bytes{name}, std::move(row), 0});
    }
  }
  if (unit.empty()) return;
  busy_[Bytes{name}];
  unit.submit(true);
}

// ---- what the broker owes ----------------------------------------------------------------------

// No local goes by the client id: what the client is now, not the session it published in.
Route LaneShard::route_of_client(LaneState& lane, BytesView client_id) const {
  const Client* const client = lane.find_client(client_id);
  if (client != nullptr && client->row.number != 0) {
    return {client->row.number, 0, lane.lane(), Route::Kind::session, 0};
  }
  const auto presence = present_.find(client_id);
  const ConnectionId connection = presence == present_.end() ? 0 : presence->second->connection;
  return {connection, 0, settings_.shard, Route::Kind::connection, 0};
}

void LaneShard::publish_outbox(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live) {
  if (outbox.publishing) return;
  if (settings_.planted == PlantedFault::clear_before_write &&
      std::exchange(outbox.releasing, false)) {
    Unit early{*this};
    early.rows().erase(Family::inbound, outbox_key(lane.lane(), id));
    early.submit(true);
    return retry_outbox(lane.lane(), id, outbox);
  }
  if (is_behind_failed(lane, id, outbox)) return retry_outbox(lane.lane(), id, outbox);
  if (!outbox.message) {
    output_.fetches.push_back({lane.lane(), 0, id, {0}, {outbox.journal_number}});
    return;
  }
  failed_outboxes_.erase({lane.lane(), id});
  outbox.publishing = true;
  const MessageRef message = outbox.message;
  const Route from = route_of_client(lane, outbox.row.client_id);
  const Waiter waiter{Waiter::Kind::outbox, id, lane.lane()};
  const auto attempt = std::exchange(outbox.published, true) ? Publisher::Attempt::repeat
                                                             : Publisher::Attempt::first;
  const auto outcome = publisher_.publish(message->view(), message, from, attempt, waiter, live);
  if (!outcome.waits) on_outbox_published(lane.lane(), id, false);
}

void LaneShard::on_outbox_published(LaneId lane_id, std::uint64_t id, bool failed) {
  LaneState& lane = led(lane_id);
  Outbox* const outbox = lane.find_outbox(id);
  if (outbox == nullptr) return;
  if (failed) return retry_outbox(lane_id, id, *outbox);
  Unit unit{*this};
  unit.add(lane, OutboxErased{id, forgotten(outbox->message->view().origin)});
  unit.submit(outbox->row.kind == OutboxKind::inbound);
}

// A session's publishes keep their order: one that found no room holds up those behind it.
bool LaneShard::is_behind_failed(const LaneState& lane, std::uint64_t id,
                                 const Outbox& outbox) const {
  if (outbox.row.kind != OutboxKind::inbound) return false;
  return std::any_of(failed_outboxes_.lower_bound({lane.lane(), 0}),
                     failed_outboxes_.lower_bound({lane.lane(), id}),
                     [&](const OutboxName& earlier) {
                       const Outbox* const other = lane.find_outbox(earlier.second);
                       return other != nullptr && other->row.session == outbox.row.session;
                     });
}

void LaneShard::retry_outbox(LaneId lane, std::uint64_t id, Outbox& outbox) {
  outbox.publishing = false;
  failed_outboxes_.insert({lane, id});
  Bytes name;
  ByteWriter{name}.u64(id);
  dues_.set(due_key(DueKind::outbox, lane, name), store_now_ + retry_after);
}

// A record of an outbox was not committed. What its client waits for it does not get; it has to
// come back and ask again.
void LaneShard::fail_outbox(LaneState& lane, const PendingRecord& each) {
  if (const auto* put = std::get_if<OutboxPut>(&each.record.body)) {
    if (Session* const session = lane.find_session(put->row.session)) {
      session->receiving.erase(put->row.packet_id);
    }
    const auto id = cluster::LanePosition{each.record.head.term, each.record.head.index};
    output_.horizon.push_back({HorizonChange::Kind::outbox_closed, lane.lane(), id.packed(), 0,
                               each.message->view().origin});
  } else if (const auto* released = std::get_if<OutboxReleased>(&each.record.body)) {
    Outbox* const outbox = lane.find_outbox(released->id);
    if (outbox != nullptr) outbox->releasing = false;
    const auto waits = completing_.find({lane.lane(), released->id});
    if (waits == completing_.end()) return;
    const ConnectionId connection = waits->second.first;
    completing_.erase(waits);
    Session* const session = outbox == nullptr ? nullptr : lane.find_session(outbox->row.session);
    if (session != nullptr && session->connection == connection) {
      part(lane, *session);  // A later PUBREL of it must not overtake this one.
    }
    to_front(connection, hop::Evict{connection, quota_exceeded});
  } else if (const auto* erased = std::get_if<OutboxErased>(&each.record.body)) {
    Outbox* const outbox = lane.find_outbox(erased->id);
    if (outbox != nullptr) retry_outbox(lane.lane(), erased->id, *outbox);
  }
}

void LaneShard::after_outbox_erased(LaneState& lane, const OutboxErased& body) {
  const OriginForgotten& from = body.origin;
  output_.horizon.push_back({HorizonChange::Kind::outbox_closed, lane.lane(), body.id, 0,
                             Origin{from.node, from.incarnation, from.shard, from.number}});
  for (auto& hops : output_.hops) hops.emplace_back(hop::OriginForget{from});
  const auto completing = completing_.find({lane.lane(), body.id});
  if (completing == completing_.end()) return;
  const auto [connection, packet_id] = completing->second;
  completing_.erase(completing);
  to_front(connection, hop::Completed{connection, packet_id, true});
}

void LaneShard::on(const hop::OriginForget& forget) {
  const Origin origin{forget.origin.node, forget.origin.incarnation, forget.origin.shard,
                      forget.origin.number};
  const auto lanes = once_lanes_.find(origin);
  if (lanes == once_lanes_.end()) return;
  Unit unit{*this};
  for (const LaneId id : lanes->second) unit.add(led(id), forget.origin);
  once_lanes_.erase(lanes);
  unit.submit(false);
}

// ---- after a start -----------------------------------------------------------------------------

// Whoever was connected when the last run ended is not any more. Its will has a grace, because
// it was the node that went away and not the client.
void LaneShard::restart_client(LaneState& lane, const Bytes& client_id, Client& client) {
  if (!client.row.connected) return set_dues(lane, client_id, client.row);
  Unit unit{*this};
  SessionRow row = client.row;
  row.connected = false;
  row.changed_at = store_now_;
  row.changed_wall = wall_;
  row.reason = node_stopped;
  const auto grace = static_cast<StoreMillis>(settings_.will_grace.count() / 1000);
  if (row.will) {
    row.will_due_at =
        store_now_ + std::max<StoreMillis>(grace, std::uint64_t{row.will->delay_s} * 1000);
  }
  if (row.number == 0 && !row.will) {
    unit.add(lane, SessionErased{client_id, 0});
  } else {
    unit.add(lane, SessionPut{client_id, std::move(row), 0});
  }
  busy_[client_id];
  unit.submit(false);
}

void LaneShard::start(LiveSink& live) {
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    for (auto& [client_id, client] : lane->clients()) {
      restart_client(*lane, client_id, client);
      if (client.session) restart_session(*lane, *client.session);
    }
    std::map<std::uint64_t, Outbox*> in_order;
    for (auto& [id, outbox] : lane->outboxes()) in_order[id] = &outbox;
    for (const auto& [id, outbox] : in_order) {
      if (outbox->row.released) publish_outbox(*lane, id, *outbox, live);
    }
    for (const Seen& seen : lane->seen()) once_lanes_[seen.origin].push_back(lane->lane());
    lane->ledger().each([&](const CommandRow& row) { after_command(*lane, row); });
  }
}

}  // namespace naru::broker

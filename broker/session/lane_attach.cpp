// LaneShard's part that decides about clients: who is connected, which session they get, when
// sessions and wills end.

#include <algorithm>

#include "broker/session/lane_shard.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t taken_over = 0x8e;
constexpr std::uint8_t node_stopped = 0x8b;

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
  owe(lane, {OutboxKind::will, Bytes{client_id}, 0, 0, true, 0}, Message::make(view), unit);
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
      if (outbox->row.kind == OutboxKind::delayed) delayed_.count(outbox->row.client_id);
      take_up(*lane, id, *outbox, live);
    }
    for (const Seen& seen : lane->seen()) once_lanes_[seen.origin].push_back(lane->lane());
    lane->ledger().each([&](const CommandRow& row) { after_command(*lane, row); });
  }
}

}  // namespace naru::broker

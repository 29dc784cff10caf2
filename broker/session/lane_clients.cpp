#include "broker/session/lane_clients.hpp"

#include <algorithm>
#include <utility>

#include "broker/session/lane_parts.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t taken_over = 0x8e;
constexpr std::uint8_t node_stopped = 0x8b;
constexpr std::uint32_t never_expires = 0xffffffff;

}  // namespace

void LaneClients::on(hop::Attach& attach) {
  const auto busy = busy_.find(attach.client_id);
  if (busy != busy_.end()) return busy->second.emplace_back(std::move(attach)), void();
  attach_now(attach);
}

void LaneClients::on(hop::Detach& detach) {
  const auto busy = busy_.find(detach.client_id);
  if (busy != busy_.end()) return busy->second.emplace_back(std::move(detach)), void();
  detach_now(detach);
}

// The record of this client is committed, or has failed: what waited for it goes on.
void LaneClients::settle(const Bytes& client_id) {
  auto busy = busy_.find(client_id);
  if (busy == busy_.end()) return;
  std::deque<ClientHop> waiting = std::move(busy->second);
  busy_.erase(busy);
  while (!waiting.empty()) {
    ClientHop next = std::move(waiting.front());
    waiting.pop_front();
    go_on(next);
  }
}

void LaneClients::go_on(ClientHop& hop) {
  if (auto* const attach = std::get_if<hop::Attach>(&hop)) return on(*attach);
  if (auto* const detach = std::get_if<hop::Detach>(&hop)) return on(*detach);
  parts_.groups.on(std::get<hop::GroupMember>(hop));
}

Presence& LaneClients::make_present(const Bytes& client_id) {
  const auto found = present_.find(client_id);
  if (found != present_.end()) return **found;
  auto made = std::make_unique<Presence>();
  made->client_id = client_id;
  return **present_.insert(std::move(made)).first;
}

const Presence* LaneClients::find(BytesView client_id) const {
  const auto found = present_.find(client_id);
  return found == present_.end() ? nullptr : found->get();
}

Route LaneClients::route_of(LaneState& lane, BytesView client_id) const {
  const Client* const client = lane.find_client(client_id);
  if (client != nullptr && client->row.number != 0) {
    return {client->row.number, 0, lane.lane(), Route::Kind::session, 0};
  }
  const Presence* const presence = find(client_id);
  const ConnectionId connection = presence == nullptr ? 0 : presence->connection;
  return {connection, 0, context_.settings.shard, Route::Kind::connection, 0};
}

void LaneClients::part(LaneState& lane, Session& session) {
  session.connection = 0;
  session.queue.detach();
  parts_.groups.give_back_lent(lane, session);
  parts_.groups.tell_all(lane, session);
}

// What a connection changes in its client's row, whether the session is new or goes on.
void LaneClients::connect_row(SessionRow& row, hop::Attach& attach) {
  row.identity = attach.identity;
  row.protocol = attach.protocol;
  row.expiry_s = attach.expiry_s;
  row.connected = true;
  row.changed_at = context_.store_now;
  row.changed_wall = context_.wall;
  row.reason = 0;
  row.will = std::move(attach.will);
  row.will_due_at = 0;
  row.epoch = std::uint64_t{context_.settings.incarnation} << 40 | ++epochs_;
}

namespace {

// A session belongs to whom it was made by, an imported one to who comes first; a client id also
// while its clean session's connection is there: nobody else ends it or fires its will.
bool is_anothers(const Client* client, const Presence* present, BytesView identity) {
  const bool is_owned = client != nullptr && client->row.number != 0 && client->row.epoch != 0;
  return (is_owned && client->row.identity != identity) ||
         (present != nullptr && present->identity != identity);
}

}  // namespace

void LaneClients::attach_now(hop::Attach& attach) {
  LaneState& lane = context_.led(cluster::lane_of(attach.client_id));
  Client* const client = lane.find_client(attach.client_id);
  hop::Attached answer{attach.connection, hop::AttachResult::accepted, false, 0, 0};
  const bool has_session = client != nullptr && client->row.number != 0;
  if (is_anothers(client, find(attach.client_id), attach.identity)) {
    ++context_.counters.wrong_identity;
    answer.result = hop::AttachResult::wrong_identity;
    return context_.to_front(attach.connection, answer);
  }
  const bool makes_session = attach.expiry_s != 0 && (!has_session || attach.clean_start);
  if (makes_session && !context_.room.sessions) {
    ++context_.counters.refused_disk_full;
    answer.result = hop::AttachResult::no_space;
    return context_.to_front(attach.connection, answer);
  }
  Presence& presence = make_present(attach.client_id);
  if (presence.connection != 0) {
    ++context_.counters.takeovers;
    context_.to_front(presence.connection, hop::Evict{presence.connection, taken_over});
  }
  if (has_session) {
    part(lane, *client->session);
  }
  UnitDraft unit{context_.units};
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
    row.created_at = context_.store_now;
    if (attach.expiry_s != 0) row.number = lane.log().next().packed();
  }
  connect_row(row, attach);
  answer.session_present = resumes;
  answer.session = row.number;
  answer.epoch = row.epoch;
  const auto window = std::min(attach.receive_maximum, context_.settings.max_inflight);
  presence = Presence{attach.client_id,
                      attach.connection,
                      row.epoch,
                      attach.keep_alive_s,
                      window,
                      attach.protocol,
                      attach.clean_start,
                      context_.wall,
                      std::move(attach.address),
                      attach.identity};
  context_.dues.cancel(DueKind::expiry, lane.lane(), attach.client_id);
  context_.dues.cancel(DueKind::will, lane.lane(), attach.client_id);
  if (row.number == 0 && !row.will && client == nullptr) {
    return context_.to_front(attach.connection, answer);  // Nothing of it outlives the connection.
  }
  if (row.number != 0 && !resumes) {
    context_.output.horizon.push_back(
        {HorizonChange::Kind::session_opened, lane.lane(), row.number, 0, {}});
  }
  put_row(lane, attach.client_id, std::move(row), replaced, unit);
  hop::Attached refusal = answer;
  refusal.result = hop::AttachResult::no_space;
  unit.reply(shard_of(attach.connection), answer, refusal);
  begin(attach.client_id);
  unit.submit(true);
}

void LaneClients::detach_now(hop::Detach& detach) {
  const auto presence = present_.find(detach.client_id);
  if (presence == present_.end() || (*presence)->connection != detach.connection) return;
  const std::uint64_t epoch = (*presence)->epoch;
  present_.erase(presence);
  Leave left{std::move(detach), epoch};
  leave(left);
}

void LaneClients::committed(LaneState& lane, const Bytes& client_id) {
  leaving_.erase(client_id);
  Client* const client = lane.find_client(client_id);
  const auto presence = present_.find(client_id);
  const bool connected = presence != present_.end();
  if (client != nullptr) {
    set_dues(lane, client_id, client->row);
    if (client->session && connected && client->row.connected &&
        client->row.epoch == (*presence)->epoch) {
      Session& session = *client->session;
      session.connection = (*presence)->connection;
      session.epoch = (*presence)->epoch;
      session.queue.attach((*presence)->window);
      parts_.groups.tell_all(lane, session);
      parts_.queues.touch(lane, session);
    }
  }
  settle(client_id);
}

void LaneClients::set_dues(LaneState& lane, BytesView client_id, const SessionRow& row) {
  constexpr StoreMillis never = never_of<StoreMillis>();
  const bool ends = !row.connected && row.expiry_s != never_expires;
  const StoreMillis ends_at = ends ? row.changed_at + std::uint64_t{row.expiry_s} * 1000 : never;
  const bool has_will = !row.connected && row.will;
  context_.dues.set(DueKind::expiry, lane.lane(), client_id, ends_at);
  context_.dues.set(DueKind::will, lane.lane(), client_id, has_will ? row.will_due_at : never);
}

// The will leaves the row and becomes a message the broker owes; its identity was fixed at
// CONNECT, so however often it is tried it counts once.
void LaneClients::fire_will(LaneState& lane, BytesView client_id, SessionRow& row,
                            UnitDraft& unit) {
  const WillRow will = std::move(*row.will);
  row.will.reset();
  const MessageRef stored = will.message ? Message::decode(*will.message) : nullptr;
  if (!stored) return;
  MessageView view = stored->view();
  if (!publisher_.admits_will({row.identity, client_id}, view.topic)) return;
  view.stamp.received_at = context_.wall;
  if (will.expiry_s != 0)
    view.expires_at = context_.store_now + std::uint64_t{will.expiry_s} * 1000;
  parts_.outboxes.owe(lane, {OutboxKind::will, Bytes{client_id}, 0, 0, true, 0},
                      Message::make(view), unit);
  ++context_.counters.wills;
}

// Who has neither a session nor a will is not kept.
void LaneClients::put_row(LaneState& lane, const Bytes& client_id, SessionRow row,
                          SessionNumber replaced, UnitDraft& unit) {
  if (row.number == 0 && !row.will) {
    unit.add(lane, SessionErased{client_id, replaced});
  } else {
    unit.add(lane, SessionPut{client_id, std::move(row), replaced});
  }
}

// Its session is over, and its will with it.
void LaneClients::erase(LaneState& lane, BytesView client_id, const Client& client,
                        UnitDraft& unit) {
  SessionRow row = client.row;
  if (row.will) fire_will(lane, client_id, row, unit);
  unit.add(lane, SessionErased{Bytes{client_id}, row.number});
}

void LaneClients::due(DueKind kind, LaneState& lane, BytesView client_id) {
  if (is_busy(client_id)) {
    return context_.dues.set(kind, lane.lane(), client_id, context_.store_now + 1);
  }
  Client* const client = lane.find_client(client_id);
  if (client == nullptr || client->row.connected) return;
  if (kind == DueKind::will && !client->row.will) return;
  UnitDraft unit{context_.units};
  if (kind == DueKind::expiry) {
    erase(lane, client_id, *client, unit);
  } else {
    SessionRow row = client->row;
    fire_will(lane, client_id, row, unit);
    put_row(lane, Bytes{client_id}, std::move(row), 0, unit);
  }
  begin(Bytes{client_id});
  unit.submit(true);
}

bool LaneClients::end_session(BytesView client_id, std::uint64_t request) {
  LaneState& lane = context_.led(cluster::lane_of(client_id));
  Client* const client = lane.find_client(client_id);
  const bool away = client != nullptr && !client->row.connected && !is_busy(client_id);
  if (!away || client->row.number == 0 || is_group(client_id)) return false;
  UnitDraft unit{context_.units};
  unit.request(request);
  erase(lane, client_id, *client, unit);
  begin(Bytes{client_id});
  unit.submit(true);
  return true;
}

// ---- after a start -----------------------------------------------------------------------------

// Whoever was connected when the last run ended is not any more. Its will has a grace, because
// it was the node that went away and not the client.
void LaneClients::restart(LaneState& lane, const Bytes& client_id, Client& client) {
  if (!client.row.connected) return set_dues(lane, client_id, client.row);
  UnitDraft unit{context_.units};
  SessionRow row = client.row;
  row.connected = false;
  row.changed_at = context_.store_now;
  row.changed_wall = context_.wall;
  row.reason = node_stopped;
  const auto grace = static_cast<StoreMillis>(context_.settings.will_grace.count() / 1000);
  if (row.will) {
    row.will_due_at =
        context_.store_now + std::max<StoreMillis>(grace, std::uint64_t{row.will->delay_s} * 1000);
  }
  if (client.session) {
    client.session->queue.may_have_sent(context_.settings.max_inflight);
    parts_.queues.save_sent(lane, *client.session, unit);
  }
  put_row(lane, client_id, std::move(row), 0, unit);
  begin(client_id);
  unit.submit(false);
}

// The connection of this epoch has ended. Again and again, until that is on disk.
void LaneClients::leave(Leave& left) {
  const hop::Detach& detach = left.detach;
  LaneState& lane = context_.led(cluster::lane_of(detach.client_id));
  Client* const client = lane.find_client(detach.client_id);
  if (client == nullptr || client->row.epoch != left.epoch) {
    leaving_.erase(Bytes{detach.client_id});
    return;
  }
  leaving_[detach.client_id] = left;
  if (client->session) {
    part(lane, *client->session);
    client->session->volatile_inbound.clear();
  }
  UnitDraft unit{context_.units};
  SessionRow row = client->row;
  row.connected = false;
  row.changed_at = context_.store_now;
  row.changed_wall = context_.wall;
  row.reason = detach.reason;
  if (detach.expiry_s) row.expiry_s = *detach.expiry_s;
  const bool ends = row.number == 0 || row.expiry_s == 0;
  if (!detach.publish_will) row.will.reset();
  if (row.will && (ends || row.will->delay_s == 0)) fire_will(lane, detach.client_id, row, unit);
  if (row.will) row.will_due_at = context_.store_now + std::uint64_t{row.will->delay_s} * 1000;
  // A will that is called off ought not to come back with the next start.
  const bool urgent = !unit.empty() || client->row.will.has_value();
  if (ends) {
    unit.add(lane, SessionErased{detach.client_id, row.number});
  } else {
    parts_.queues.save_sent(lane, *client->session, unit);
    unit.add(lane, SessionPut{detach.client_id, std::move(row), 0});
  }
  begin(detach.client_id);
  unit.submit(urgent);
}

// What a client did is not on disk: a refused one is not there, one that left has to be taken out
// later, and what was due is due again.
void LaneClients::failed(LaneState& lane, const Bytes& client_id) {
  if (is_group(client_id)) {
    const auto busy = busy_.find(client_id);
    if (busy == busy_.end()) return;
    parts_.groups.failed(client_id, std::move(busy->second));
    return busy_.erase(busy), void();
  }
  const Client* const client = lane.find_client(client_id);
  const std::uint64_t epoch = client == nullptr ? 0 : client->row.epoch;
  const auto presence = present_.find(client_id);
  if (presence != present_.end() && (*presence)->epoch != epoch) present_.erase(presence);
  if (client != nullptr && !client->row.connected) {
    set_dues(lane, client_id, client->row);
  } else if (client != nullptr && !present_.contains(client_id)) {
    leaving_.try_emplace(client_id,
                         Leave{hop::Detach{0, client_id, true, taken_over, std::nullopt}, epoch});
  }
  settle(client_id);
}

void LaneClients::retry() {
  std::vector<Leave> again;
  for (const auto& [client_id, leave] : leaving_) {
    if (!busy_.contains(client_id)) again.push_back(leave);
  }
  for (Leave& each : again) leave(each);
}

}  // namespace naru::broker

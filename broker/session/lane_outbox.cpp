// LaneShard's part that publishes what the broker owes: QoS 2 publishes after their release, wills
// that have fired, and delayed publishes that are due.

#include <algorithm>
#include <utility>

#include "broker/session/lane_shard.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t quota_exceeded = 0x97;
constexpr StoreMillis retry_after = 1'000;

// Of a record that begins one.
const OutboxRow* owed_by(const Record& record) {
  if (const auto* put = std::get_if<OutboxPut>(&record.body)) return &put->row;
  const auto* delayed = std::get_if<DelayedPut>(&record.body);
  return delayed == nullptr ? nullptr : &delayed->row;
}

OriginForgotten forgotten(const Origin& origin) {
  return {origin.node, origin.incarnation, origin.shard, origin.number};
}

}  // namespace

void LaneShard::owe(LaneState& lane, OutboxRow row, MessageRef message, Unit& unit) {
  output_.horizon.push_back({HorizonChange::Kind::outbox_opened, lane.lane(),
                             lane.log().next().packed(), 0, message->view().origin});
  const SharedBytes bytes = Message::encoded_of(message);
  if (row.kind == OutboxKind::delayed) {
    unit.add(lane, DelayedPut{std::move(row), bytes}, std::move(message));
  } else {
    unit.add(lane, OutboxPut{std::move(row), bytes}, std::move(message));
  }
}

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
  if (outbox.row.kind == OutboxKind::delayed && !begin_delayed(outbox)) {
    return erase_outbox(lane, id, outbox);
  }
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
  erase_outbox(lane, id, *outbox);
}

void LaneShard::erase_outbox(LaneState& lane, std::uint64_t id, Outbox& outbox) {
  if (outbox.row.kind == OutboxKind::delayed) {
    delayed_.landed(lane.lane(), id);
    delayed_.discount(outbox.row.client_id);
  }
  Unit unit{*this};
  unit.add(lane, OutboxErased{id, forgotten(outbox.origin)});
  unit.submit(outbox.row.kind == OutboxKind::inbound);
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
  if (outbox.row.kind == OutboxKind::delayed) return retry_delayed(lane, id, outbox);
  failed_outboxes_.insert({lane, id});
  Bytes name;
  ByteWriter{name}.u64(id);
  dues_.set(due_key(DueKind::outbox, lane, name), store_now_ + retry_after);
}

// A record of an outbox was not committed. What its client waits for it does not get; it has to
// come back and ask again.
void LaneShard::fail_outbox(LaneState& lane, const PendingRecord& each) {
  if (const OutboxRow* const row = owed_by(each.record)) {
    if (Session* const session = lane.find_session(row->session)) {
      session->receiving.erase(row->packet_id);
    }
    if (row->kind == OutboxKind::delayed) delayed_.discount(row->client_id);
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
    if (outbox == nullptr) return;
    if (outbox->row.kind == OutboxKind::delayed) delayed_.count(outbox->row.client_id);
    retry_outbox(lane.lane(), erased->id, *outbox);
  }
}

// A message is stored, released, or left by the last run: it goes out now or when it is due.
void LaneShard::take_up(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live) {
  if (outbox.row.kind == OutboxKind::delayed) {
    outbox.message = nullptr;  // The journal has it.
    if (outbox.row.released) delayed_.wait({outbox.row.due_at, lane.lane(), id});
  } else if (outbox.row.released) {
    publish_outbox(lane, id, outbox, live);
  }
}

void LaneShard::after_outbox(LaneState& lane, const Record& record, LiveSink& live) {
  if (const OutboxRow* const row = owed_by(record)) {
    const auto id = cluster::LanePosition{record.head.term, record.head.index}.packed();
    Session* const session = lane.find_session(row->session);
    if (session != nullptr) session->receiving.erase(row->packet_id);
    return take_up(lane, id, *lane.find_outbox(id), live);
  }
  if (const auto* released = std::get_if<OutboxReleased>(&record.body)) {
    Outbox* const outbox = lane.find_outbox(released->id);
    if (outbox == nullptr) return;
    if (outbox->row.kind == OutboxKind::delayed) complete(lane, released->id);
    return take_up(lane, released->id, *outbox, live);
  }
  const auto* erased = std::get_if<OutboxErased>(&record.body);
  if (erased == nullptr) return;
  const OriginForgotten& from = erased->origin;
  output_.horizon.push_back({HorizonChange::Kind::outbox_closed, lane.lane(), erased->id, 0,
                             Origin{from.node, from.incarnation, from.shard, from.number}});
  for (auto& hops : output_.hops) hops.emplace_back(hop::OriginForget{from});
  complete(lane, erased->id);
}

// Its PUBREL has waited for this.
void LaneShard::complete(const LaneState& lane, std::uint64_t id) {
  const auto completing = completing_.find({lane.lane(), id});
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

}  // namespace naru::broker

#include "broker/session/lane_outboxes.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "broker/session/lane_parts.hpp"
#include "storage/base/check.hpp"
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

void LaneOutboxes::owe(LaneState& lane, OutboxRow row, MessageRef message, UnitDraft& unit) {
  context_.output.horizon.push_back({HorizonChange::Kind::outbox_opened, lane.lane(),
                                     lane.log().next().packed(), 0, message->view().origin});
  const SharedBytes bytes = Message::encoded_of(message);
  if (row.kind == OutboxKind::delayed) {
    unit.add(lane, DelayedPut{std::move(row), bytes}, std::move(message));
  } else {
    unit.add(lane, OutboxPut{std::move(row), bytes}, std::move(message));
  }
}

void LaneOutboxes::publish(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live) {
  if (outbox.publishing) return;
  if (context_.settings.planted == PlantedFault::clear_before_write &&
      std::exchange(outbox.releasing, false)) {
    UnitDraft early{context_.units};
    early.rows().erase(Family::inbound, outbox_key(lane.lane(), id));
    early.submit(true);
    return again(lane.lane(), id, outbox);
  }
  if (is_behind_failed(lane, id, outbox)) return again(lane.lane(), id, outbox);
  if (!outbox.message) {
    context_.output.fetches.push_back({lane.lane(), 0, id, {0}, {outbox.journal_number}});
    return;
  }
  failed_.erase({lane.lane(), id});
  outbox.publishing = true;
  if (outbox.row.kind == OutboxKind::delayed && !begin_delayed(outbox)) {
    return erase(lane, id, outbox);
  }
  const MessageRef message = outbox.message;
  const Route from = parts_.clients.route_of(lane, outbox.row.client_id);
  const Waiter waiter{Waiter::Kind::outbox, id, lane.lane()};
  const auto attempt = std::exchange(outbox.published, true) ? Publisher::Attempt::repeat
                                                             : Publisher::Attempt::first;
  const auto outcome = publisher_.publish(message->view(), message, from, attempt, waiter, live);
  if (!outcome.waits) on_published(lane.lane(), id, false);
}

void LaneOutboxes::on_published(LaneId lane_id, std::uint64_t id, bool failed) {
  LaneState& lane = context_.led(lane_id);
  Outbox* const outbox = lane.find_outbox(id);
  if (outbox == nullptr) return;
  if (failed) return again(lane_id, id, *outbox);
  erase(lane, id, *outbox);
}

void LaneOutboxes::erase(LaneState& lane, std::uint64_t id, Outbox& outbox) {
  if (outbox.row.kind == OutboxKind::delayed) {
    delayed_.landed(lane.lane(), id);
    delayed_.discount(outbox.row.client_id);
  }
  UnitDraft unit{context_.units};
  unit.add(lane, OutboxErased{id, forgotten(outbox.origin)});
  unit.submit(outbox.row.kind == OutboxKind::inbound);
}

// A session's publishes keep their order: one that found no room holds up those behind it.
bool LaneOutboxes::is_behind_failed(const LaneState& lane, std::uint64_t id,
                                    const Outbox& outbox) const {
  if (outbox.row.kind != OutboxKind::inbound) return false;
  return std::any_of(failed_.lower_bound({lane.lane(), 0}), failed_.lower_bound({lane.lane(), id}),
                     [&](const OutboxName& earlier) {
                       const Outbox* const other = lane.find_outbox(earlier.second);
                       return other != nullptr && other->row.session == outbox.row.session;
                     });
}

void LaneOutboxes::again(LaneId lane, std::uint64_t id, Outbox& outbox) {
  outbox.publishing = false;
  if (outbox.row.kind == OutboxKind::delayed) return delayed_again(lane, id, outbox);
  failed_.insert({lane, id});
  Bytes name;
  ByteWriter{name}.u64(id);
  context_.dues.set(DueKind::outbox, lane, name, context_.store_now + retry_after);
}

// A record of an outbox was not committed. What its client waits for it does not get; it has to
// come back and ask again.
void LaneOutboxes::failed(LaneState& lane, const PendingRecord& each) {
  if (const OutboxRow* const row = owed_by(each.record)) {
    if (Session* const session = lane.find_session(row->session)) {
      session->receiving.erase(row->packet_id);
    }
    if (row->kind == OutboxKind::delayed) delayed_.discount(row->client_id);
    const auto id = cluster::LanePosition{each.record.head.term, each.record.head.index};
    context_.output.horizon.push_back({HorizonChange::Kind::outbox_closed, lane.lane(), id.packed(),
                                       0, each.message->view().origin});
  } else if (const auto* released = std::get_if<OutboxReleased>(&each.record.body)) {
    fail_release(lane, released->id);
  } else if (const auto* erased = std::get_if<OutboxErased>(&each.record.body)) {
    Outbox* const outbox = lane.find_outbox(erased->id);
    if (outbox == nullptr) return;
    if (outbox->row.kind == OutboxKind::delayed) delayed_.count(outbox->row.client_id);
    again(lane.lane(), erased->id, *outbox);
  }
}

void LaneOutboxes::fail_release(LaneState& lane, std::uint64_t id) {
  Outbox* const outbox = lane.find_outbox(id);
  if (outbox != nullptr) outbox->releasing = false;
  const auto waits = completing_.find({lane.lane(), id});
  if (waits == completing_.end()) return;
  const ConnectionId connection = waits->second.first;
  completing_.erase(waits);
  Session* const session = outbox == nullptr ? nullptr : lane.find_session(outbox->row.session);
  if (session != nullptr && session->connection == connection) {
    parts_.clients.part(lane, *session);  // A later PUBREL of it must not overtake this one.
  }
  context_.to_front(connection, hop::Evict{connection, quota_exceeded});
}

// A message is stored, released, or left by the last run: it goes out now or when it is due.
void LaneOutboxes::take_up(LaneState& lane, std::uint64_t id, Outbox& outbox, LiveSink& live) {
  if (outbox.row.kind == OutboxKind::delayed) {
    outbox.message = nullptr;  // The journal has it.
    if (outbox.row.released) delayed_.wait({outbox.row.due_at, lane.lane(), id});
  } else if (outbox.row.released) {
    publish(lane, id, outbox, live);
  }
}

void LaneOutboxes::committed(LaneState& lane, const Record& record, LiveSink& live) {
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
  context_.output.horizon.push_back(
      {HorizonChange::Kind::outbox_closed, lane.lane(), erased->id, 0, origin_of(from)});
  for (auto& hops : context_.output.hops) hops.emplace_back(hop::OriginForget{from});
  complete(lane, erased->id);
}

// Its PUBREL has waited for this.
void LaneOutboxes::complete(const LaneState& lane, std::uint64_t id) {
  const auto completing = completing_.find({lane.lane(), id});
  if (completing == completing_.end()) return;
  const auto [connection, packet_id] = completing->second;
  completing_.erase(completing);
  context_.to_front(connection, hop::Completed{connection, packet_id, true});
}

void LaneOutboxes::due(LaneId lane, BytesView name) {
  retry_.emplace_back(lane, ByteReader{name}.u64());
}

void LaneOutboxes::on_fetched(const Fetched& fetched, LiveSink& live) {
  LaneState& lane = context_.led(fetched.request.lane);
  const std::uint64_t id = fetched.request.outbox;
  Outbox* const outbox = lane.find_outbox(id);
  if (outbox == nullptr) return;
  outbox->message = fetched.messages.front();
  // One that is delayed goes out in its turn.
  if (outbox->row.kind == OutboxKind::delayed) return on_delayed_read(lane, id, *outbox);
  NARU_CHECK(outbox->message);  // An open outbox pins its entry.
  publish(lane, id, *outbox, live);
}

void LaneOutboxes::end_turn(LiveSink& live) {
  publish_released(live);
  std::ranges::sort(retry_);  // As they were published.
  for (const auto& [lane_id, id] : std::exchange(retry_, {})) {
    LaneState& lane = context_.led(lane_id);
    if (Outbox* const outbox = lane.find_outbox(id)) publish(lane, id, *outbox, live);
  }
  take_due();
  publish_taken(live);
}

void LaneOutboxes::restart(LaneState& lane, LiveSink& live) {
  std::map<std::uint64_t, Outbox*> in_order;
  for (auto& [id, outbox] : lane.outboxes()) in_order[id] = &outbox;
  for (const auto& [id, outbox] : in_order) {
    if (outbox->row.kind == OutboxKind::delayed) delayed_.count(outbox->row.client_id);
    take_up(lane, id, *outbox, live);
  }
}

}  // namespace naru::broker

// LaneOutboxes' part that takes QoS 2 publishes of lasting sessions in.

#include <utility>

#include "broker/session/lane_parts.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

// Whose publish this is; nobody where it has gone, or has sent that before.
Session* LaneOutboxes::receiver(LaneState& lane, SessionNumber number, ConnectionId connection,
                                std::uint16_t id) {
  Session* const session = lane.find_session(number);
  if (session == nullptr || session->connection != connection) return nullptr;
  if (!session->inbound.contains(id) && !session->volatile_inbound.contains(id)) return session;
  ++context_.counters.repeated;
  context_.to_front(connection, hop::Received{connection, id, false});
  return nullptr;
}

void LaneOutboxes::on(hop::Receive& receive) {
  LaneState& lane = context_.led(receive.lane);
  const std::uint16_t id = receive.packet_id;
  Session* const session = receiver(lane, receive.session, receive.connection, id);
  if (session == nullptr) return;
  const hop::Received done{receive.connection, id, false};
  // Behind one that is stored it is stored, too: it would overtake that at its PUBREL.
  const bool behind = !session->inbound.empty() || !session->receiving.empty();
  if (!receive.durable && !behind) {
    session->volatile_inbound[id] = receive.message.message;
    return context_.to_front(receive.connection, done);
  }
  if (!context_.room.sessions) {
    ++context_.counters.refused_disk_full;
    return context_.to_front(receive.connection, hop::Received{receive.connection, id, true});
  }
  if (!session->receiving.insert(id).second) return;  // Its PUBREC is on the way.
  UnitDraft unit{context_.units};
  owe(lane, {OutboxKind::inbound, session->client_id, session->number, id, false, 0},
      receive.message.message, unit);
  unit.reply(shard_of(receive.connection), done, hop::Received{receive.connection, id, true});
  unit.submit(true);
}

void LaneOutboxes::on(const hop::Release& release) {
  LaneState& lane = context_.led(release.lane);
  Session* const session = lane.find_session(release.session);
  if (session == nullptr || session->connection != release.connection) return;
  const auto volatile_one = session->volatile_inbound.find(release.packet_id);
  if (volatile_one != session->volatile_inbound.end()) {
    released_.push_back({release.connection, release.packet_id, volatile_one->second,
                         session->number, lane.lane()});
    session->volatile_inbound.erase(volatile_one);
    return;
  }
  const auto inbound = session->inbound.find(release.packet_id);
  if (inbound == session->inbound.end()) {
    return context_.to_front(release.connection,
                             hop::Completed{release.connection, release.packet_id, false});
  }
  Outbox* const outbox = lane.find_outbox(inbound->second);
  if (outbox == nullptr) return;
  completing_[{lane.lane(), inbound->second}] = {release.connection, release.packet_id};
  if (outbox->releasing || outbox->row.released) return;  // PUBCOMP follows when it is published.
  outbox->releasing = true;
  UnitDraft unit{context_.units};
  unit.add(lane, OutboxReleased{inbound->second});
  unit.submit(true);
}

// In the order of their PUBRELs.
void LaneOutboxes::publish_released(LiveSink& live) {
  for (const ReleasedLive& each : std::exchange(released_, {})) {
    const Route from{each.session, 0, each.lane, Route::Kind::session, 0};
    const Waiter waiter{Waiter::Kind::completion, each.connection, each.packet_id};
    const auto outcome = publisher_.publish(each.message->view(), each.message, from,
                                            Publisher::Attempt::only, waiter, live);
    if (!outcome.waits) live.on_published(waiter, false);
  }
}

}  // namespace naru::broker

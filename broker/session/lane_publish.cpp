// LaneShard's part that moves messages: into queues and streams, acknowledgements back, QoS 2
// publishes in.

#include <algorithm>

#include "broker/session/lane_shard.hpp"
#include "broker/session/subscription_options.hpp"
#include "broker/stream/rule.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t retain_flag = 4;  // Of Delivery::options.

}  // namespace

// ---- into queues -------------------------------------------------------------------------------

// Whether a limit of the session keeps a message out; the drop is counted here.
bool LaneShard::over_limit(Session& session, std::size_t size) {
  const auto full = [&] {
    const std::size_t waiting = session.queue.waiting();
    const bool many = settings_.max_queued_messages != 0 &&
                      waiting >= settings_.max_queued_messages + session.queue.in_flight();
    const bool large = settings_.max_queued_bytes != 0 && waiting > 0 &&
                       session.queue.bytes() + size > settings_.max_queued_bytes;
    return many || large;
  };
  while (full()) {
    ++counters_.dropped_queue_full;
    if (!settings_.drop_oldest || session.queue.drop_oldest_waiting() == 0) return true;
    touch(led(cluster::lane_of(session.client_id)), session);
  }
  return false;
}

void LaneShard::deliver_now(Session& session, const Carried& message, const Delivery& delivery) {
  if (session.group) return pass_on(*session.group, message, delivery.options);
  if (session.connection == 0) return;  // QoS 0 is not kept for who is away.
  to_front(session.connection,
           hop::QueueDeliver{session.connection, session.epoch, 0, delivery.options, false, message,
                             delivery.subscription_ids});
}

// True when the delivery became a reference in a queue.
bool LaneShard::enqueue_one(LaneState& lane, const Delivery& delivery, const MessageView& view,
                            std::vector<Reference>& references) {
  Session* const session = lane.find_session(delivery.owner);
  if (session == nullptr) return false;
  const bool lent = (delivery.options & lent_flag) != 0;  // A window of them at most.
  if (!lent && over_limit(*session, view.payload.size() + view.topic.size())) return false;
  const bool reuse = settings_.planted == PlantedFault::reuse_packet_id;
  const std::uint64_t number = reuse ? session->queue.last() + 1 : session->queue.reserve();
  references.push_back({session->number, number, delivery.options, delivery.subscription_ids});
  return true;
}

void LaneShard::on(hop::PublishTo& publish, LiveSink& live) {
  MessageRef kept = publish.message.message;
  const MessageView& view = kept->view();
  std::ranges::stable_sort(publish.deliveries, {}, &Delivery::place);
  Unit unit{*this};
  const bool behind = publish.reply.number != 0 && is_behind_failed(publish.reply);
  bool refused = false;
  std::size_t at = 0;
  while (at < publish.deliveries.size()) {
    const Delivery& first = publish.deliveries[at];
    if (first.kind == Route::Kind::connection) {
      live.deliver(first.owner, view, kept, first.options, first.subscription_ids);
      ++at;
      continue;
    }
    LaneState& lane = led(first.place);
    const bool repeated = publish.once && settings_.planted != PlantedFault::forget_dedup &&
                          lane.has_seen({view.origin, {}});
    if (repeated) ++counters_.repeated;
    std::vector<Reference> references;
    for (; at < publish.deliveries.size() && publish.deliveries[at].place == lane.lane() &&
           publish.deliveries[at].kind == Route::Kind::session;
         ++at) {
      const Delivery& delivery = publish.deliveries[at];
      if ((delivery.options & 3) == 0) {
        if (Session* const session = lane.find_session(delivery.owner)) {
          deliver_now(*session, publish.message, delivery);
        }
      } else if ((delivery.options & lent_flag) != 0) {
        const Session* const session = lane.find_session(delivery.owner);
        const bool is_here = session != nullptr && session->connection != 0;
        const GroupPlace place = place_of(view.origin);
        if (!is_here || !room_.sessions) {
          answer(place, is_here ? AnswerKind::failed : AnswerKind::returned);
        } else {
          enqueue_one(lane, delivery, view, references);
        }
      } else if (!repeated && room_.sessions && !behind) {
        enqueue_one(lane, delivery, view, references);
      } else if (!repeated) {
        refused = true;
      }
    }
    if (references.empty()) continue;
    if (publish.once) once_lanes_[view.origin].push_back(lane.lane());
    unit.add(lane, Enqueued{Message::encoded_of(kept), std::move(references), publish.once}, kept);
  }
  if (refused && !room_.sessions) ++counters_.refused_disk_full;
  if (publish.reply.number == 0) return unit.submit(view.qos != 0);
  if (unit.empty() && !refused) {
    output_.hops[publish.reply.shard].emplace_back(hop::Committed{publish.reply.number, false});
    return;
  }
  if (refused) refuse(publish.reply);
  if (!refused) unit.reply(publish.reply);
  unit.submit(true);
}

void LaneShard::on(hop::RetainedFound& found) {
  LaneState& home = led(found.lane);
  Session* const session = home.find_session(found.session);
  if (session == nullptr) return;
  for (std::size_t i = 0; i < found.messages.size(); ++i) {
    const MessageRef& message = found.messages[i].message;
    if (is_echo(found.options[i], message->view(), session->client_id)) continue;
    Delivery delivery{Route::Kind::session, home.lane(), found.session, 0, {}};
    if (found.subscription_ids[i] != 0) delivery.subscription_ids = {found.subscription_ids[i]};
    const auto qos = std::min<std::uint8_t>(found.options[i] & 3, message->view().qos);
    delivery.options = static_cast<std::uint8_t>(qos | retain_flag);
    if (qos == 0) {
      deliver_now(*session, found.messages[i], delivery);
      continue;
    }
    std::vector<Reference> references;
    if (!enqueue_one(home, delivery, message->view(), references)) continue;
    Unit unit{*this};
    unit.add(home, Enqueued{Message::encoded_of(message), std::move(references), false}, message);
    unit.submit(true);
  }
}

void LaneShard::on(const hop::QueueAck& ack) {
  LaneState& lane = led(ack.lane);
  Session* const session = lane.find_session(ack.session);
  if (session == nullptr || session->epoch != ack.epoch || session->connection == 0) return;
  const std::uint64_t number = session->queue.find(ack.packet_id);
  if (number == 0) {
    // A client that still asks for a release gets one: its message has long been let go.
    if (ack.kind != hop::AckKind::pubrec) return;
    return to_front(session->connection, hop::QueueRelease{session->connection, ack.packet_id});
  }
  touch(lane, *session);
  switch (ack.kind) {
    case hop::AckKind::puback: {
      if (!session->queue.on_puback(number)) return;
      const auto command = session->commands.find(number);
      if (command == session->commands.end()) return;
      step(lane, session->client_id, command->second, CommandState::delivered, true);
      session->commands.erase(command);
      return;
    }
    case hop::AckKind::pubrec:
      if (const auto lent = session->lent.find(number);
          lent != session->lent.end() &&
          session->queue.at(number).state == SessionQueue::State::sent) {
        const hop::GroupAnswer received{lent->second, AnswerKind::received, 0,     0,
                                        lane.lane(),  session->number,      number};
        output_.hops[settings_.shard_of_lane(lent->second.lane)].emplace_back(received);
        return;
      }
      if (!session->queue.on_pubrec(number)) return;
      for (const std::uint64_t released : session->queue.take_released()) {
        to_front(session->connection,
                 hop::QueueRelease{session->connection, SessionQueue::packet_id_of(released)});
      }
      return;
    case hop::AckKind::pubrec_refused: session->queue.drop(number); return;
    case hop::AckKind::pubcomp: session->queue.on_pubcomp(number); return;
  }
}

// ---- QoS 2 from a persistent session -----------------------------------------------------------

// Whose publish this is; nobody where it has gone, or has sent that before.
Session* LaneShard::receiver(LaneState& lane, SessionNumber number, ConnectionId connection,
                             std::uint16_t id) {
  Session* const session = lane.find_session(number);
  if (session == nullptr || session->connection != connection) return nullptr;
  if (!session->inbound.contains(id) && !session->volatile_inbound.contains(id)) return session;
  ++counters_.repeated;
  to_front(connection, hop::Received{connection, id, false});
  return nullptr;
}

void LaneShard::on(hop::Receive& receive) {
  LaneState& lane = led(receive.lane);
  const std::uint16_t id = receive.packet_id;
  Session* const session = receiver(lane, receive.session, receive.connection, id);
  if (session == nullptr) return;
  const hop::Received done{receive.connection, id, false};
  if (!receive.durable) {
    session->volatile_inbound[id] = receive.message.message;
    return to_front(receive.connection, done);
  }
  if (!room_.sessions) {
    ++counters_.refused_disk_full;
    return to_front(receive.connection, hop::Received{receive.connection, id, true});
  }
  if (!session->receiving.insert(id).second) return;  // Its PUBREC is on the way.
  Unit unit{*this};
  owe(lane, {OutboxKind::inbound, session->client_id, session->number, id, false, 0},
      receive.message.message, unit);
  unit.reply(shard_of(receive.connection), done, hop::Received{receive.connection, id, true});
  unit.submit(true);
}

void LaneShard::on(const hop::Release& release) {
  LaneState& lane = led(release.lane);
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
    return to_front(release.connection,
                    hop::Completed{release.connection, release.packet_id, false});
  }
  Outbox* const outbox = lane.find_outbox(inbound->second);
  if (outbox == nullptr) return;
  completing_[{lane.lane(), inbound->second}] = {release.connection, release.packet_id};
  if (outbox->releasing || outbox->row.released) return;  // PUBCOMP follows when it is published.
  outbox->releasing = true;
  Unit unit{*this};
  unit.add(lane, OutboxReleased{inbound->second});
  unit.submit(true);
}

// ---- streams -----------------------------------------------------------------------------------

void LaneShard::on(hop::StreamAppend& append) {
  LaneState& lane = led(append.lane);
  const MessageRef& message = append.message.message;
  if (append.once && lane.has_seen({message->view().origin, append.stream})) {
    ++counters_.repeated;
    if (append.reply.number == 0) return;
    output_.hops[append.reply.shard].emplace_back(hop::Committed{append.reply.number, false});
    return;
  }
  if (!room_.streams) ++counters_.refused_disk_full;
  if (!room_.streams || (append.reply.number != 0 && is_behind_failed(append.reply))) {
    return refuse(append.reply);
  }
  const auto most = settings_.stream_keys.find(append.stream);
  if (most != settings_.stream_keys.end() && !lane.stream(append.stream).knows(append.key) &&
      lane.stream(append.stream).keys() >= most->second) {
    append.note = static_cast<std::uint8_t>(StreamNote::too_many_keys);
    append.note_text = append.stream + ": " + append.key;
    append.stream = dead_letter_stream;
    append.key.clear();
    ++counters_.dead_letters;
  }
  const StreamLane::Place place = lane.stream(append.stream).reserve(append.key);
  StreamAppended body;
  body.stream = std::move(append.stream);
  body.offset = place.offset;
  body.row = {std::move(append.key), place.sequence, append.note, std::move(append.note_text),
              Message::encoded_of(message)};
  body.once = append.once;
  if (append.once) once_lanes_[message->view().origin].push_back(lane.lane());
  Unit unit{*this};
  unit.add(lane, std::move(body), message);
  unit.reply(append.reply);
  unit.submit(append.reply.number != 0);
}

void LaneShard::enforce_retention(BytesView stream, WallMillis keep_since) {
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    const auto found = lane->streams().find(stream);
    if (found == lane->streams().end()) continue;
    const std::uint64_t most = lane->markable(stream);
    const std::uint64_t point = std::min(found->second.trim_point(keep_since), most + 1);
    if (point <= found->second.first()) continue;
    Unit unit{*this};
    unit.add(*lane, StreamTrimmed{Bytes{stream}, point});
    storage::StreamMarked mark = found->second.mark(stream, most);
    mark.first_offset = point;
    unit.add(*lane, std::move(mark));
    unit.submit(false);
  }
}

void LaneShard::mark_streams() {
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    Unit unit{*this};
    for (const auto& [name, stream] : lane->streams()) {
      const std::uint64_t most = lane->markable(name);
      if (most > stream.marked()) unit.add(*lane, stream.mark(name, most));
    }
    unit.submit(true);
  }
}

void LaneShard::put_consumer(BytesView stream, BytesView consumer, BytesView cursor,
                             std::uint64_t request) {
  LaneState& lane = led(cluster::lane_of(consumer));
  Unit unit{*this};
  unit.add(lane, ConsumerPut{Bytes{stream}, Bytes{consumer}, Bytes{cursor}});
  unit.request(request);
  unit.submit(true);
}

}  // namespace naru::broker

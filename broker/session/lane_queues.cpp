#include "broker/session/lane_queues.hpp"

#include <algorithm>

#include "broker/session/lane_parts.hpp"
#include "broker/session/retained_asker.hpp"
#include "broker/session/subscription_options.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr std::uint8_t retain_flag = 4;  // Of Delivery::options.
}  // namespace

// Whether a limit of the session keeps a message out; the drop is counted here.
bool LaneQueues::over_limit(LaneState& lane, Session& session, std::size_t size) {
  const auto full = [&] {
    const std::size_t waiting = session.queue.waiting();
    const bool many = context_.settings.max_queued_messages != 0 &&
                      waiting >= context_.settings.max_queued_messages + session.queue.in_flight();
    const bool large = context_.settings.max_queued_bytes != 0 && waiting > 0 &&
                       session.queue.bytes() + size > context_.settings.max_queued_bytes;
    return many || large;
  };
  while (full()) {
    ++context_.counters.dropped_queue_full;
    if (!context_.settings.drop_oldest || session.queue.drop_oldest_waiting() == 0) return true;
    touch(lane, session);
  }
  return false;
}

void LaneQueues::deliver_now(Session& session, const Carried& message, const Delivery& delivery) {
  if (session.group) return parts_.groups.pass_on(*session.group, message, delivery.options);
  if (session.connection == 0) return;  // QoS 0 is not kept for who is away.
  context_.to_front(session.connection,
                    hop::QueueDeliver{session.connection, session.epoch, 0, delivery.options, false,
                                      message, delivery.subscription_ids});
}

// True when the delivery became a reference in a queue.
bool LaneQueues::enqueue_one(LaneState& lane, const Delivery& delivery, const MessageView& view,
                             std::vector<Reference>& references) {
  Session* const session = lane.find_session(delivery.owner);
  if (session == nullptr) return false;
  const bool lent = (delivery.options & lent_flag) != 0;  // A window of them at most.
  if (!lent && over_limit(lane, *session, view.payload.size() + view.topic.size())) return false;
  const bool reuse = context_.settings.planted == PlantedFault::reuse_packet_id;
  const std::uint64_t number = reuse ? session->queue.last() + 1 : session->queue.reserve();
  references.push_back({session->number, number, delivery.options, delivery.subscription_ids});
  return true;
}

// From a group: where it cannot be taken, the group hears of it.
void LaneQueues::enqueue_lent(LaneState& lane, const Delivery& delivery, const MessageView& view,
                              std::vector<Reference>& references) {
  const Session* const session = lane.find_session(delivery.owner);
  const bool is_here = session != nullptr && session->connection != 0;
  if (is_here && context_.room.sessions) {
    enqueue_one(lane, delivery, view, references);
  } else {
    parts_.groups.answer(
        answer_of(place_of(view.origin), is_here ? AnswerKind::failed : AnswerKind::returned));
  }
}

void LaneQueues::on(hop::PublishTo& publish, LiveSink& live) {
  MessageRef kept = publish.message.message;
  const MessageView& view = kept->view();
  std::ranges::stable_sort(publish.deliveries, {}, &Delivery::place);
  UnitDraft unit{context_.units};
  const bool behind = context_.units.is_behind_failed(publish.reply);
  bool refused = false;
  std::size_t at = 0;
  while (at < publish.deliveries.size()) {
    const Delivery& first = publish.deliveries[at];
    if (first.kind == Route::Kind::connection) {
      live.deliver(first.owner, view, kept, first.options, first.subscription_ids);
      ++at;
      continue;
    }
    LaneState& lane = context_.led(first.place);
    const bool repeated = publish.once && context_.settings.planted != PlantedFault::forget_dedup &&
                          lane.has_seen({view.origin, {}});
    if (repeated) ++context_.counters.repeated;
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
        enqueue_lent(lane, delivery, view, references);
      } else if (!repeated && context_.room.sessions && !behind) {
        enqueue_one(lane, delivery, view, references);
      } else if (!repeated) {
        refused = true;
      }
    }
    if (references.empty()) continue;
    if (publish.once) parts_.origins.note(view.origin, lane.lane());
    unit.add(lane, Enqueued{Message::encoded_of(kept), std::move(references), publish.once}, kept);
  }
  if (refused && !context_.room.sessions) ++context_.counters.refused_disk_full;
  if (publish.reply.number == 0) return unit.submit(view.qos != 0);
  if (unit.empty() && !refused) return context_.units.accept(publish.reply);
  if (refused) context_.units.refuse(publish.reply);
  if (!refused) unit.reply(publish.reply);
  unit.submit(true);
}

void LaneQueues::on(hop::RetainedFound& found) {
  LaneState& home = context_.led(found.lane);
  Session* const session = home.find_session(found.session);
  if (session == nullptr) return;
  std::optional<UnitDraft> last;  // Each has one message.
  bool live = false;
  for (std::size_t i = 0; i < found.messages.size(); ++i) {
    const MessageRef& message = found.messages[i].message;
    if (is_echo(found.options[i], message->view(), session->client_id)) continue;
    Delivery delivery{Route::Kind::session, home.lane(), found.session, 0, {}};
    if (found.subscription_ids[i] != 0) delivery.subscription_ids = {found.subscription_ids[i]};
    const auto qos = std::min<std::uint8_t>(found.options[i] & 3, message->view().qos);
    delivery.options = static_cast<std::uint8_t>(qos | retain_flag);
    if (qos == 0) {  // Not for a connection that came after.
      if (session->connection == found.connection) {
        deliver_now(*session, found.messages[i], delivery);
        live = true;
      }
      continue;
    }
    std::vector<Reference> references;
    if (!enqueue_one(home, delivery, message->view(), references)) continue;
    if (last) last->submit(true);
    last.emplace(context_.units);
    last->add(home, Enqueued{Message::encoded_of(message), std::move(references), false}, message);
  }
  go_on(*session, std::move(found.rest), live, last);
}

// The next step follows when the last message of this one has come back from the disk, and where
// some of it went to the connection, when that has room for more: its front asks then.
void LaneQueues::go_on(const Session& session, hop::RetainedRest rest, bool live,
                       std::optional<UnitDraft>& last) {
  keep_wanted(rest.query, [&](const FilterRow& row) { return has_filter(session, row.filter); });
  const bool more = !rest.query.filters.empty();
  const std::uint16_t shard = live ? shard_of(rest.query.connection) : rest.shard;
  const Hop next = live ? Hop{std::move(rest)} : Hop{std::move(rest.query)};
  if (more && !last) context_.output.hops[shard].emplace_back(next);
  if (more && last) last->reply(shard, next, next);
  if (last) last->submit(true);
}

void LaneQueues::on(const hop::QueueAck& ack) {
  LaneState& lane = context_.led(ack.lane);
  Session* const session = lane.find_session(ack.session);
  if (session == nullptr || session->epoch != ack.epoch || session->connection == 0) return;
  const std::uint64_t number = session->queue.find(ack.packet_id);
  if (number == 0) {
    // A client that still asks for a release gets one: its message has long been let go.
    if (ack.kind != hop::AckKind::pubrec) return;
    return context_.to_front(session->connection,
                             hop::QueueRelease{session->connection, ack.packet_id});
  }
  touch(lane, *session);
  switch (ack.kind) {
    case hop::AckKind::puback: {
      if (!session->queue.on_puback(number)) return;
      const auto command = session->commands.find(number);
      if (command == session->commands.end()) return;
      parts_.commands.step(lane, session->client_id, command->second, CommandState::delivered,
                           true);
      session->commands.erase(command);
      return;
    }
    case hop::AckKind::pubrec: return on_pubrec(lane, *session, number);
    case hop::AckKind::pubrec_refused: session->queue.drop(number); return;
    case hop::AckKind::too_large:
    case hop::AckKind::forbidden:
      if (parts_.groups.refuse_lent(lane, *session, number)) return;
      if (ack.kind == hop::AckKind::too_large) ++context_.counters.dropped_too_large;
      session->queue.drop(number);
      return;
    case hop::AckKind::pubcomp: session->queue.on_pubcomp(number); return;
  }
}

void LaneQueues::on_pubrec(LaneState& lane, Session& session, std::uint64_t number) {
  const auto lent = session.lent.find(number);
  if (lent != session.lent.end() && session.queue.at(number).state == SessionQueue::State::sent) {
    // PUBREL follows when the group has it on disk.
    const GroupPlace& place = lent->second;
    return context_.to_leader_of(place.lane, hop::GroupAnswer{place, AnswerKind::received, 0, 0,
                                                              lane.lane(), session.number, number});
  }
  if (session.queue.on_pubrec(number)) send_releases(session);
}

}  // namespace naru::broker

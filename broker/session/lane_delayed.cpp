// LaneOutboxes' part that keeps publishes which are not to go out before their time. Each is an
// outbox of its publisher's lane (lane_outboxes.cpp); here is when.

#include <utility>

#include "broker/session/lane_parts.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr StoreMillis retry_after = 1'000;
}  // namespace

void LaneOutboxes::on(hop::PublishLater& later) {
  LaneState& lane = context_.led(later.lane);
  const bool is_twice = later.packet_id != 0;
  const hop::Received failed{later.connection, later.packet_id, true};
  Session* session = nullptr;
  if (is_twice) {
    session = receiver(lane, later.session, later.connection, later.packet_id);
    if (session == nullptr) return;
  }
  const MessageRef& message = later.message.message;
  const BytesView client_id = message->view().sender;
  const std::uint64_t most = context_.settings.max_delayed_messages;
  if (most != 0 && delayed_.of_client(client_id) >= most) {
    ++context_.counters.refused_delayed;
    if (is_twice) return context_.to_front(later.connection, failed);
    if (later.reply.number == 0) return;
    context_.output.hops[later.reply.shard].emplace_back(hop::Refused{later.reply.number});
    return;
  }
  if (!context_.room.sessions) ++context_.counters.refused_disk_full;
  if (!context_.room.sessions || (context_.units.is_behind_failed(later.reply))) {
    return is_twice ? context_.to_front(later.connection, failed)
                    : context_.units.refuse(later.reply);
  }
  if (is_twice && !session->receiving.insert(later.packet_id).second) return;
  delayed_.count(client_id);
  UnitDraft unit{context_.units};
  owe(lane,
      {OutboxKind::delayed, Bytes{client_id}, later.session, later.packet_id, !is_twice,
       later.due_at},
      message, unit);
  if (is_twice) {
    unit.reply(shard_of(later.connection), hop::Received{later.connection, later.packet_id, false},
               failed);
  }
  unit.reply(later.reply);
  unit.submit(message->view().qos != 0);
}

void LaneOutboxes::take_due() {
  if (context_.units.failing()) return;
  while (const auto next = delayed_.take_due(context_.store_now)) {
    const Outbox* const outbox = context_.led(next->lane).find_outbox(next->id);
    if (outbox == nullptr) continue;
    context_.output.fetches.push_back({next->lane, 0, next->id, {0}, {outbox->journal_number}});
  }
}

void LaneOutboxes::publish_taken(LiveSink& live) {
  while (const auto next = delayed_.first_taken()) {
    LaneState& lane = context_.led(next->lane);
    Outbox* const outbox = lane.find_outbox(next->id);
    const bool is_lost = outbox == nullptr || outbox->publishing;
    if (!is_lost && !outbox->message) return;
    delayed_.pass();
    if (!is_lost) publish(lane, next->id, *outbox, live);
  }
}

// What the journal has of it. A release that knows nothing of delayed publishes lets them go.
void LaneOutboxes::on_delayed_read(LaneState& lane, std::uint64_t id, Outbox& outbox) {
  if (outbox.message) return;
  ++context_.counters.dropped_lost;
  outbox.publishing = true;
  erase(lane, id, outbox);
}

// It goes out as of now, whenever it came in: streams keep it from here on. False: it has expired.
bool LaneOutboxes::begin_delayed(Outbox& outbox) {
  if (!outbox.published) {  // Else once more, for whom there was no room the first time.
    if (outbox.message->expired(context_.store_now))
      return ++context_.counters.dropped_expired, false;
    ++context_.counters.delayed_published;
  }
  MessageView view = outbox.message->view();
  view.stamp.received_at = context_.wall;
  outbox.message = Message::make(view);
  return true;
}

void LaneOutboxes::delayed_again(LaneId lane, std::uint64_t id, Outbox& outbox) {
  outbox.message = nullptr;
  delayed_.landed(lane, id);
  delayed_.pause(context_.store_now + retry_after);
  delayed_.wait({context_.store_now + retry_after, lane, id});
}

}  // namespace naru::broker

// LaneShard's part that keeps publishes which are not to go out before their time. Each is an
// outbox of its publisher's lane (lane_outbox.cpp); here is when.

#include <utility>

#include "broker/session/lane_shard.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr StoreMillis retry_after = 1'000;
}  // namespace

void LaneShard::on(hop::PublishLater& later) {
  LaneState& lane = led(later.lane);
  const bool is_twice = later.packet_id != 0;
  const hop::Received failed{later.connection, later.packet_id, true};
  Session* session = nullptr;
  if (is_twice) {
    session = receiver(lane, later.session, later.connection, later.packet_id);
    if (session == nullptr) return;
  }
  const MessageRef& message = later.message.message;
  const BytesView client_id = message->view().sender;
  const std::uint64_t most = settings_.max_delayed_messages;
  if (most != 0 && delayed_.of_client(client_id) >= most) {
    ++counters_.refused_delayed;
    if (is_twice) return to_front(later.connection, failed);
    if (later.reply.number == 0) return;
    output_.hops[later.reply.shard].emplace_back(hop::Refused{later.reply.number});
    return;
  }
  if (!room_.sessions) ++counters_.refused_disk_full;
  if (!room_.sessions || (later.reply.number != 0 && is_behind_failed(later.reply))) {
    return is_twice ? to_front(later.connection, failed) : refuse(later.reply);
  }
  if (is_twice && !session->receiving.insert(later.packet_id).second) return;
  delayed_.count(client_id);
  Unit unit{*this};
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

void LaneShard::take_due() {
  if (failing_) return;
  while (const auto next = delayed_.take_due(store_now_)) {
    const Outbox* const outbox = led(next->lane).find_outbox(next->id);
    if (outbox == nullptr) continue;
    output_.fetches.push_back({next->lane, 0, next->id, {0}, {outbox->journal_number}});
  }
}

void LaneShard::publish_taken(LiveSink& live) {
  while (const auto next = delayed_.first_taken()) {
    LaneState& lane = led(next->lane);
    Outbox* const outbox = lane.find_outbox(next->id);
    const bool is_lost = outbox == nullptr || outbox->publishing;
    if (!is_lost && !outbox->message) return;
    delayed_.pass();
    if (!is_lost) publish_outbox(lane, next->id, *outbox, live);
  }
}

// What the journal has of it. A release that knows nothing of delayed publishes lets them go.
void LaneShard::on_delayed_read(LaneState& lane, std::uint64_t id, Outbox& outbox) {
  if (outbox.message) return;
  ++counters_.dropped_lost;
  outbox.publishing = true;
  erase_outbox(lane, id, outbox);
}

// It goes out as of now, whenever it came in: streams keep it from here on. False: it has expired.
bool LaneShard::begin_delayed(Outbox& outbox) {
  if (!outbox.published) {  // Else once more, for whom there was no room the first time.
    if (outbox.message->expired(store_now_)) return ++counters_.dropped_expired, false;
    ++counters_.delayed_published;
  }
  MessageView view = outbox.message->view();
  view.stamp.received_at = wall_;
  outbox.message = Message::make(view);
  return true;
}

void LaneShard::retry_delayed(LaneId lane, std::uint64_t id, Outbox& outbox) {
  outbox.message = nullptr;
  delayed_.landed(lane, id);
  delayed_.pause(store_now_ + retry_after);
  delayed_.wait({store_now_ + retry_after, lane, id});
}

}  // namespace naru::broker

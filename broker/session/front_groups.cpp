// Front's part that makes clients members of groups, and brings them what groups lend.

#include <algorithm>

#include "broker/mqtt/topics.hpp"
#include "broker/session/answers.hpp"
#include "broker/session/front.hpp"
#include "broker/session/group.hpp"

namespace naru::broker {

using mqtt::PacketType;
using storage::MessageView;

// ---- members -----------------------------------------------------------------------------------

void Front::tell_group(Connection& c, MemberState state, const storage::FilterRow& row,
                       mqtt::PacketId reply) {
  const Route member = route_of(c);
  hop::GroupMember word{row.filter, member.kind, member.place,        member.owner,
                        state,      row.options, row.subscription_id, 0,
                        0,          reply};
  word.window = std::min(c.receive_maximum, settings_.max_inflight);
  if (reply != 0) word.reply = c.id;
  const std::uint16_t shard = settings_.shard_of_lane(lane_of_group(row.filter));
  output_.hops[shard].emplace_back(std::move(word));
}

// The subscriptions are made. The SUBACK waits until each group knows its member.
void Front::answer_subscribe(Connection& c, hop::Subscribed subscribed) {
  if (subscribed.codes.find(static_cast<char>(ReasonCode::quota_exceeded)) != Bytes::npos) {
    explain(c, Denial::Kind::filters_full, {}, why_of(Denial::Kind::filters_full));
  }
  const auto joins = c.joining.find(subscribed.packet_id);
  if (joins == c.joining.end()) return finish_subscribe(c, std::move(subscribed));
  Joining& joining = joins->second;
  std::erase_if(joining.groups, [&](const auto& group) {
    return static_cast<std::uint8_t>(subscribed.codes[group.first]) >= 0x80;
  });
  if (joining.groups.empty()) {
    c.joining.erase(joins);
    return finish_subscribe(c, std::move(subscribed));
  }
  joining.codes = std::move(subscribed.codes);
  joining.retained_for = std::move(subscribed.retained_for);
  joining.missing = joining.groups.size();
  for (const auto& [place, row] : joining.groups) {
    tell_group(c, MemberState::connected, row, subscribed.packet_id);
  }
}

void Front::on(const hop::GroupJoined& joined) {
  Connection* const c = find(joined.connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  const auto waits = c->joining.find(joined.packet_id);
  if (waits == c->joining.end() || --waits->second.missing > 0) return;
  Joining done = std::move(waits->second);
  c->joining.erase(waits);
  finish_subscribe(*c,
                   {c->id, joined.packet_id, std::move(done.codes), std::move(done.retained_for)});
}

// The connection ends: of a clean session everything, of others nothing is here.
void Front::drop_subscriptions(Connection& c) {
  retained_.end(c.id);
  for (const storage::FilterRow& row : c.filters) {
    if (mqtt::is_shared(row.filter)) {
      tell_group(c, MemberState::left, row, 0);
    } else {
      routes_.remove(row.filter, route_of(c));
    }
  }
  c.filters.clear();
  for (const auto& [id, place] : c.lent) {
    const bool may_have_it = c.window.awaits_pubrec(id);  // Then nobody else may (MQTT-4.8.2-5).
    if (may_have_it) ++counters_.dropped_group_ended;
    answer(place, may_have_it ? AnswerKind::done : AnswerKind::returned);
  }
  c.lent.clear();
  while (!c.waiting.empty()) answer(c.waiting.pop().lent, AnswerKind::returned);
}

// ---- messages ----------------------------------------------------------------------------------

void Front::answer(const GroupPlace& place, AnswerKind kind) {
  if (place.number == 0) return;  // It is no group's.
  output_.hops[settings_.shard_of_lane(place.lane)].emplace_back(
      hop::GroupAnswer{place, kind, 0, 0, 0, 0, 0});
}

void Front::on(hop::GroupLend& lend) {
  Connection* const c = find(lend.connection);
  if (c == nullptr || c->state != Connection::State::live) {
    return answer(lend.place, AnswerKind::returned);
  }
  const MessageView& view = lend.message.message->view();
  const bool allowed = !c->is_ruled() || may(*c, Denial::Kind::deliver, view.topic);
  if (!allowed || !fits(*c, view, lend.options, lend.subscription_ids)) {
    return answer(lend.place, AnswerKind::unfit);
  }
  if (!c->waiting.empty() && c->waiting.bytes() > settings_.max_waiting) {
    return answer(lend.place, AnswerKind::failed);  // Later: it does not keep up.
  }
  c->waiting.push(
      {lend.message.message, lend.options, std::move(lend.subscription_ids), lend.place});
  send_waiting(*c);
}

// A PUBACK or PUBREC of what a group lent; false: it is not. A PUBREC is answered when the group
// has noted that no other member gets the message.
bool Front::on_lent_ack(Connection& c, PacketType type, const mqtt::Ack& ack) {
  const auto lent = c.lent.find(ack.packet_id);
  if (lent == c.lent.end()) return false;
  if (type == PacketType::pubrec && !mqtt::is_failure(ack.reason)) {
    const hop::GroupAnswer received{
        lent->second, AnswerKind::received, c.id, ack.packet_id, 0, 0, 0};
    output_.hops[settings_.shard_of_lane(lent->second.lane)].emplace_back(received);
    return true;
  }
  const bool freed = type == PacketType::puback   ? c.window.on_puback(ack.packet_id)
                     : type == PacketType::pubrec ? c.window.on_refusal(ack.packet_id)
                                                  : false;
  if (!freed) return true;
  answer(lent->second, AnswerKind::done);
  c.lent.erase(lent);
  send_waiting(c);
  return true;
}

void Front::on(const hop::GroupTaken& taken) {
  Connection* const c = find(taken.connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  c->lent.erase(taken.packet_id);
  const bool known = c->window.on_pubrec(taken.packet_id);
  write_ack(*c, {taken.packet_id, PacketType::pubrel,
                 known ? ReasonCode::success : ReasonCode::packet_identifier_not_found});
  touch(*c);
}

}  // namespace naru::broker

// Front's part that brings messages to clients, and their acknowledgements back.

#include <algorithm>

#include "broker/mqtt/encoder.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/session/answers.hpp"
#include "broker/session/front.hpp"
#include "broker/session/subscription_options.hpp"

namespace naru::broker {

using mqtt::PacketType;
using mqtt::Qos;
using storage::MessageRef;
using storage::MessageView;

namespace {

constexpr std::uint8_t retain_flag = 4;  // Of Delivery::options.

mqtt::PublishHead head_of(const MessageView& view, StoreMillis now, mqtt::PacketId id,
                          std::uint8_t options, bool dup, const std::vector<std::uint32_t>& ids) {
  mqtt::PublishHead head;
  head.dup = dup;
  head.qos = static_cast<Qos>(options & 3);
  head.retain = (options & retain_flag) != 0;
  head.packet_id = id;
  head.subscription_ids = ids;
  if (view.expires_at != 0) {
    const StoreMillis left = view.expires_at > now ? view.expires_at - now : 0;
    head.expiry = static_cast<std::uint32_t>((left + 999) / 1000);
  }
  return head;
}

// The topic to write in a PUBLISH: none where the client knows an alias for it. An alias that it is
// to learn must not make the packet too large for it.
BytesView shorten(Connection& c, const MessageView& view, mqtt::PublishHead& head) {
  const TopicAliases::Choice choice = c.aliases.choose(view.topic);
  head.topic_alias = choice.alias;
  if (choice.known) return {};
  if (c.packet_size_max != 0 && mqtt::publish_size(c.version, head, view.topic, view.properties,
                                                   view.payload) > c.packet_size_max) {
    head.topic_alias = 0;
    return view.topic;
  }
  c.aliases.sent(view.topic, choice);
  return view.topic;
}

}  // namespace

void Front::write(Connection& c, const MessageView& view, mqtt::PacketId id, std::uint8_t options,
                  bool dup, const std::vector<std::uint32_t>& ids) {
  ++counters_.deliveries_out;
  const std::size_t before = c.output.size();
  mqtt::PublishHead head = head_of(view, store_now_, id, options, dup, ids);
  const BytesView topic = c.aliases.may_send() ? shorten(c, view, head) : view.topic;
  mqtt::encode_publish(c.output, c.version, head, topic, view.properties, view.payload);
  counters_.bytes_out += c.output.size() - before;
  touch(c);
}

bool Front::fits(const Connection& c, const MessageView& view, std::uint8_t options,
                 const std::vector<std::uint32_t>& ids) const {
  if (c.packet_size_max == 0) return true;
  const auto head = head_of(view, store_now_, (options & 3) != 0 ? 1 : 0, options, false, ids);
  return mqtt::publish_size(c.version, head, view.topic, view.properties, view.payload) <=
         c.packet_size_max;
}

void Front::deliver(ConnectionId connection, const MessageView& view, MessageRef& kept,
                    std::uint8_t options, const std::vector<std::uint32_t>& ids) {
  Connection* const c = find(connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  if (c->is_ruled() && !may(*c, Denial::Kind::deliver, view.topic)) return;
  if (!fits(*c, view, options, ids)) {
    ++counters_.dropped_too_large;
    return;
  }
  if ((options & 3) == 0) {
    if (c->output.size() > settings_.max_output) {
      ++counters_.dropped_slow;
      return;
    }
    return write(*c, view, 0, options, false, ids);
  }
  if (c->window.has_room() && c->waiting.empty() && c->output.size() <= settings_.max_output) {
    return write(*c, view, c->window.offer(static_cast<Qos>(options & 3)), options, false, ids);
  }
  if (!kept) kept = storage::Message::make(view);
  while (c->waiting.bytes() + kept->encoded().size() > settings_.max_waiting) {
    ++counters_.dropped_queue_full;
    if (!settings_.drop_oldest || c->waiting.empty()) return;
    answer(c->waiting.pop().lent, AnswerKind::returned);
  }
  c->waiting.push({kept, options, ids, {}});
}

void Front::send_waiting(Connection& c) {
  while (!c.waiting.empty() && c.window.has_room() && c.output.size() <= settings_.max_output) {
    const WaitingMessage next = c.waiting.pop();
    if (next.message->expired(store_now_)) {
      ++counters_.dropped_expired;
      answer(next.lent, AnswerKind::done);
      continue;
    }
    // The right may have ended while it waited.
    if (c.is_ruled() && !may(c, Denial::Kind::deliver, next.message->view().topic)) {
      answer(next.lent, AnswerKind::unfit);
      continue;
    }
    const mqtt::PacketId id = c.window.offer(static_cast<Qos>(next.options & 3));
    if (next.lent.number != 0) c.lent[id] = next.lent;
    write(c, next.message->view(), id, next.options, false, next.subscription_ids);
  }
  retained_.go_on(c);
}

void Front::on(hop::QueueDeliver& deliver) {
  Connection* const c = find(deliver.connection);
  if (c == nullptr || c->state != Connection::State::live || c->epoch != deliver.epoch) return;
  const MessageView& view = deliver.message.message->view();
  const bool allowed = !c->is_ruled() || may(*c, Denial::Kind::deliver, view.topic);
  if (!allowed || !fits(*c, view, deliver.options, deliver.subscription_ids)) {
    if (deliver.packet_id == 0) {
      if (allowed) ++counters_.dropped_too_large;
      return;
    }
    // Its place in the queue becomes free. What the client may know nobody else may have.
    const bool known = deliver.dup && (deliver.options & 3) == 2;
    const auto why = known     ? hop::AckKind::pubrec_refused
                     : allowed ? hop::AckKind::too_large
                               : hop::AckKind::forbidden;
    if (known && allowed) ++counters_.dropped_too_large;
    output_.hops[settings_.shard].emplace_back(
        hop::QueueAck{c->lane, c->session, c->epoch, deliver.packet_id, why});
    return;
  }
  if (deliver.packet_id == 0 && c->output.size() > settings_.max_output) {
    ++counters_.dropped_slow;
    return;
  }
  write(*c, view, deliver.packet_id, deliver.options, deliver.dup, deliver.subscription_ids);
}

void Front::on(const hop::QueueRelease& release) {
  Connection* const c = find(release.connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  mqtt::encode_ack(c->output, c->version, PacketType::pubrel, release.packet_id,
                   ReasonCode::success);
  touch(*c);
}

void Front::on(hop::RetainedFound& found) {
  Connection* const c = find(found.connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  std::vector<std::uint32_t> ids;
  for (std::size_t i = 0; i < found.messages.size(); ++i) {
    MessageRef message = found.messages[i].message;
    const MessageView& view = message->view();
    if (is_echo(found.options[i], view, c->client_id)) continue;
    const auto qos = std::min<std::uint8_t>(found.options[i] & 3, view.qos);
    ids.clear();
    if (found.subscription_ids[i] != 0) ids.push_back(found.subscription_ids[i]);
    deliver(c->id, view, message, static_cast<std::uint8_t>(qos | retain_flag), ids);
  }
  on(found.rest);
}

void Front::on(hop::RetainedRest& rest) {
  Connection* const c = find(rest.query.connection);
  if (c == nullptr || c->state != Connection::State::live) {
    return retained_.go_on_without(std::move(rest));
  }
  retained_.keep(std::move(rest));
  retained_.go_on(*c);
}

// A command for a device with a clean session: sent if it has subscribed with QoS 1 or 2.
void Front::on(hop::CommandDeliver& deliver) {
  Connection* const c = find(deliver.connection);
  if (c == nullptr || c->state != Connection::State::live || c->session != 0) return;
  const MessageView& view = deliver.message.message->view();
  const bool subscribed = std::ranges::any_of(c->filters, [&](const storage::FilterRow& row) {
    return (row.options & 3) != 0 && !mqtt::is_shared(row.filter) &&
           mqtt::filter_matches(row.filter, view.topic);
  });
  // Acknowledged in this turn: the lane did not know that yet.
  const bool has_it =
      std::ranges::find(acked_commands_, std::pair{c->id, deliver.id}) != acked_commands_.end();
  const bool under_way = has_it || std::ranges::any_of(c->commands, [&](const auto& each) {
                           return each.second == deliver.id;
                         });
  if (!subscribed || under_way || !fits(*c, view, 1, {})) return;
  if (c->is_ruled() && !may(*c, Denial::Kind::deliver, view.topic)) return;
  if (!c->window.has_room()) {
    c->commands_wait = true;
    return;
  }
  const mqtt::PacketId id = c->window.offer(Qos::at_least_once);
  c->commands[id] = deliver.id;
  write(*c, view, id, 1, false, {});
  output_.hops[settings_.shard].emplace_back(hop::CommandAcked{c->client_id, deliver.id, true});
}

// ---- acknowledgements from clients -------------------------------------------------------------

void Front::on_ack(Connection& c, const mqtt::Frame& frame) {
  mqtt::Ack ack;
  const mqtt::DecodeError error = mqtt::decode_ack(frame, c.version, ack);
  if (error != mqtt::DecodeError::none) return fail(c, frame, error);
  const PacketType type = mqtt::type_of(frame);
  if (type == PacketType::pubrel) return on_pubrel(c, ack);
  if (c.session == 0) return on_clean_ack(c, type, ack);
  hop::AckKind kind = hop::AckKind::puback;
  if (type == PacketType::pubcomp) kind = hop::AckKind::pubcomp;
  if (type == PacketType::pubrec) {
    kind = mqtt::is_failure(ack.reason) ? hop::AckKind::pubrec_refused : hop::AckKind::pubrec;
  }
  output_.hops[settings_.shard].emplace_back(
      hop::QueueAck{c.lane, c.session, c.epoch, ack.packet_id, kind});
}

void Front::on_clean_ack(Connection& c, PacketType type, const mqtt::Ack& ack) {
  if (!c.lent.empty() && on_lent_ack(c, type, ack)) return;
  const mqtt::PacketId id = ack.packet_id;
  if (type == PacketType::pubrec && !mqtt::is_failure(ack.reason)) {
    const bool known = c.window.on_pubrec(id);
    write_ack(c, {id, PacketType::pubrel,
                  known ? ReasonCode::success : ReasonCode::packet_identifier_not_found});
    return touch(c);
  }
  bool freed = false;
  if (type == PacketType::puback) freed = c.window.on_puback(id);
  if (type == PacketType::pubcomp) freed = c.window.on_pubcomp(id);
  if (type == PacketType::pubrec) freed = c.window.on_refusal(id);
  if (!freed) return;
  const auto command = c.commands.find(id);
  if (command != c.commands.end()) {
    acked_commands_.emplace_back(c.id, command->second);
    output_.hops[settings_.shard].emplace_back(
        hop::CommandAcked{c.client_id, std::move(command->second), false});
    c.commands.erase(command);
  }
  send_waiting(c);
  if (c.window.has_room() && std::exchange(c.commands_wait, false)) {
    output_.hops[settings_.shard].emplace_back(hop::CommandOffer{c.client_id, c.id});
  }
}

}  // namespace naru::broker

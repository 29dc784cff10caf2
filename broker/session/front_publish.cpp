// Front's part that takes publishes from clients.

#include <nlohmann/json.hpp>

#include "broker/command/ledger.hpp"
#include "broker/mqtt/bridge_path.hpp"
#include "broker/mqtt/encoder.hpp"
#include "broker/session/answers.hpp"
#include "broker/session/delayed_topic.hpp"
#include "broker/session/front.hpp"
#include "broker/session/topic_kind.hpp"
#include "broker/stream/json_fields.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

using mqtt::PacketType;
using mqtt::Qos;
using storage::MessageRef;
using storage::MessageView;

namespace {

constexpr BytesView alias_unset = "it has no topic, and its topic alias stands for none yet";
constexpr BytesView alias_beyond = "its topic alias is larger than max_topic_alias allows";

// What a device says of its command: {"state": "succeeded", "result": ...}. All else is an
// ordinary message.
std::optional<hop::CommandReply> word_of(const Connection& c, BytesView prefix, BytesView topic,
                                         BytesView payload) {
  BytesView command_id;
  const TopicKind kind = topic_kind(topic, prefix, {c.client_id, c.peer.own_bridge}, command_id);
  if (kind != TopicKind::reply) return std::nullopt;
  // Writing JSON recurses: how deep a reply nests is not for its sender to choose.
  if (!read_json_fields(payload, {}).valid) return std::nullopt;
  const auto reply = nlohmann::json::parse(payload, nullptr, false);
  if (!reply.is_object() || !reply.contains("state") || !reply["state"].is_string()) {
    return std::nullopt;
  }
  const auto state = command_state(reply["state"].get_ref<const std::string&>());
  if (!state || !device_may_report(*state)) return std::nullopt;
  Bytes result;
  if (reply.contains("result")) result = reply["result"].dump();
  return hop::CommandReply{c.client_id, Bytes{command_id}, *state, std::move(result), ReplyTo{}};
}

}  // namespace

void Front::on_publish(Connection& c, const mqtt::Frame& frame) {
  mqtt::Publish p;
  const mqtt::DecodeError error = mqtt::decode_publish(frame, c.version, p);
  if (error != mqtt::DecodeError::none) return fail(c, frame, error);
  if (p.topic_alias != 0) {
    const ReasonCode known = c.aliases.resolve(p.topic_alias, p.topic);
    if (known != ReasonCode::success) {
      return break_off(c, known, PacketType::publish,
                       known == ReasonCode::protocol_error ? alias_unset : alias_beyond);
    }
  }
  if (!p.properties_clean && !p.subscription_ids.empty()) {
    return break_off(c, ReasonCode::protocol_error, PacketType::publish,
                     "a Subscription Identifier is for the broker to send");
  }
  if (const auto lacks = find_not_offered(settings_, c.peer, p.qos, p.retain)) {
    explain(c, Denial::Kind::publish, p.topic, Bytes{lacks->why});
    return end(c, lacks->reason, lacks->why);
  }
  // From here on a delayed publish is one to its real topic.
  std::uint32_t delay_s = 0;
  const bool misnamed = is_delayed(p.topic) && !take_delay(p.topic, delay_s);
  if (!misnamed && !knows_right(c, Denial::Kind::publish, p.topic)) return;
  ++counters_.publishes_in;
  if (p.qos != Qos::at_most_once && c.version == mqtt::Version::v5 &&
      c.acks.size() + c.open_qos2 >= settings_.receive_maximum) {
    return break_off(c, ReasonCode::receive_maximum_exceeded, PacketType::publish,
                     "more QoS 1 and 2 publishes are open than Receive Maximum allows");
  }
  if (is_too_large(settings_, p.payload)) {
    explain(c, Denial::Kind::publish, p.topic, Bytes{payload_too_large});
    // A bridge of ours would only bring it again.
    if (c.version == mqtt::Version::v5 && !c.peer.own_bridge)
      return end(c, ReasonCode::packet_too_large, payload_too_large);
    return deny(c, p, ReasonCode::not_authorized);
  }
  if (misnamed) {
    explain(c, Denial::Kind::publish, p.topic, Bytes{no_delayed_topic});
    return deny(c, p, ReasonCode::topic_name_invalid, AckText::delayed_topic);
  }
  if ((c.is_ruled() && !may(c, Denial::Kind::publish, p.topic)) ||
      !was_granted(c, Denial::Kind::publish, p.topic)) {
    return deny(c, p, ReasonCode::not_authorized);
  }
  if (c.is_bridge && mqtt::has_passed(p.properties, mqtt::node_text(settings_.node))) {
    ++counters_.repeated;
    return deny(c, p, ReasonCode::success);
  }
  BytesView command_id;
  const TopicKind kind =
      topic_kind(p.topic, settings_.command_prefix, {c.client_id, c.peer.own_bridge}, command_id);
  // A command hears of its reply when it is said.
  if (kind == TopicKind::forbidden || (kind == TopicKind::reply && delay_s != 0)) {
    explain(c, Denial::Kind::publish, p.topic, Bytes{brokers_own});
    return deny(c, p, ReasonCode::not_authorized, AckText::brokers_own);
  }
  if (p.qos != Qos::exactly_once && kind == TopicKind::reply) {
    auto word = word_of(c, settings_.command_prefix, p.topic, p.payload);
    if (word) publisher_.add_command_reply(std::move(*word));
  }
  const MessageView view = view_of(c, p);
  const StoreMillis due_at = delay_s == 0 ? 0 : store_now_ + std::uint64_t{delay_s} * 1000;
  if (p.qos == Qos::exactly_once) return publish_twice(c, p.packet_id, view, due_at);
  publish_once(c, p.packet_id, view, due_at);
}

BytesView Front::passing_properties(BytesView properties, bool clean) {
  if (clean) return properties;
  scratch_.clear();
  mqtt::copy_properties_without(properties, mqtt::hop_properties, scratch_);
  return scratch_;
}

MessageView Front::view_of(Connection& c, const mqtt::Publish& p) {
  MessageView view;
  view.origin = publisher_.next_origin();
  view.stamp = {c.epoch, ++c.publishes, wall_};
  if (p.expiry) view.expires_at = store_now_ + std::uint64_t{*p.expiry} * 1000;
  view.qos = static_cast<std::uint8_t>(p.qos);
  view.retain = p.retain;
  view.sender = c.client_id;
  view.topic = p.topic;
  view.properties = passing_properties(p.properties, p.properties_clean);
  view.payload = p.payload;
  return view;
}

// QoS 0 and 1: to everybody at once; PUBACK when all of it is on disk.
void Front::publish_once(Connection& c, mqtt::PacketId id, const MessageView& view,
                         StoreMillis due_at) {
  const bool acknowledged = view.qos != 0;
  Waiter waiter;
  if (acknowledged) waiter = {Waiter::Kind::connection, c.id, c.acks.next_place()};
  Publisher::Outcome outcome{true, true};
  if (due_at != 0) {
    publisher_.publish_later({c.lane, 0, 0, 0, due_at, storage::Message::make(view), {}}, waiter);
  } else {
    outcome =
        publisher_.publish(view, nullptr, route_of(c), Publisher::Attempt::only, waiter, *this);
  }
  if (!acknowledged) return;
  const ReasonCode reason = outcome.matched || c.version != mqtt::Version::v5
                                ? ReasonCode::success
                                : ReasonCode::no_matching_subscribers;
  if (outcome.waits) {
    c.acks.push({id, PacketType::puback, reason, false});
  } else {
    acknowledge(c, id, PacketType::puback, reason);
  }
}

// QoS 2: kept until PUBREL; in the lane where the session is to outlive the connection.
void Front::publish_twice(Connection& c, mqtt::PacketId id, const MessageView& view,
                          StoreMillis due_at) {
  if (c.session == 0) {
    if (c.inbound.contains(id)) {
      ++counters_.repeated;
    } else {
      MessageRef message = storage::Message::make(view);
      const std::uint64_t bytes = c.inbound_bytes + message->encoded().size();
      if (bytes > settings_.max_waiting) {
        constexpr auto kind = Denial::Kind::unreleased;
        explain(c, kind, {}, why_of(kind));
        if (c.version != mqtt::Version::v5) return end(c, reason_of(kind));
        return acknowledge(c, id, PacketType::pubrec, reason_of(kind), AckText::unreleased);
      }
      c.inbound_bytes = bytes;
      c.inbound[id] = {std::move(message), due_at};
      ++c.open_qos2;
    }
    return acknowledge(c, id, PacketType::pubrec, ReasonCode::success);
  }
  if (c.receiving.contains(id)) {  // Its PUBREC waits for the disk.
    c.acks.push({id, PacketType::pubrec, ReasonCode::success, false});
    ++c.repeated_open;
    ++counters_.repeated;
    return;
  }
  c.receiving[id] = c.acks.push({id, PacketType::pubrec, ReasonCode::success, false});
  const Carried message{storage::Message::make(view)};
  auto& hops = output_.hops[settings_.shard];
  if (due_at != 0) {
    hops.emplace_back(hop::PublishLater{c.lane, c.id, c.session, id, due_at, message, {}});
  } else {
    // What a device says of a command is a record of the same lane: where the message is one
    // behind it, PUBREC follows both.
    auto word = word_of(c, settings_.command_prefix, view.topic, view.payload);
    const bool durable = word || publisher_.has_durable_target(view);
    if (word) hops.emplace_back(std::move(*word));
    hops.emplace_back(hop::Receive{c.lane, c.id, c.session, id, durable, message});
  }
}

void Front::on(const hop::Received& received) {
  Connection* const c = find(received.connection);
  if (c == nullptr) return;
  const auto place = c->receiving.find(received.packet_id);
  if (place == c->receiving.end()) return;
  if (received.failed && c->version != mqtt::Version::v5) return end_for_room(*c);
  const std::uint64_t at = place->second;
  c->receiving.erase(place);
  if (!received.failed) ++c->open_qos2;
  const ReasonCode reason = received.failed ? ReasonCode::quota_exceeded : ReasonCode::success;
  c->acks.complete(at, reason, AckText::not_stored);
  if (c->repeated_open != 0)
    c->acks.complete_repeated(received.packet_id, reason, c->repeated_open);
  release_acks(*c);
}

void Front::on_published(const Waiter& waiter, bool failed) {
  Connection* const c = find(waiter.owner);
  if (c == nullptr || c->state == Connection::State::closing) return;
  // 3.x cannot say that a message was not taken, and no version can with PUBCOMP; when its
  // connection ends the client tries again.
  const bool speechless =
      c->version != mqtt::Version::v5 || waiter.kind == Waiter::Kind::completion;
  if (failed && speechless) return end_for_room(*c);
  const ReasonCode reason = failed ? ReasonCode::quota_exceeded : ReasonCode::success;
  if (waiter.kind == Waiter::Kind::completion) {
    if (c->open_qos2 > 0) --c->open_qos2;
    mqtt::encode_ack(c->output, c->version, PacketType::pubcomp,
                     static_cast<mqtt::PacketId>(waiter.place), ReasonCode::success);
    return touch(*c);
  }
  // What it sends before it hears of a failure would fail behind that, without end.
  if (failed) c->settles = true;
  c->acks.complete(waiter.place, reason, AckText::not_stored);
  release_acks(*c);
}

void Front::on(const hop::Completed& completed) {
  Connection* const c = find(completed.connection);
  if (c == nullptr) return;
  if (completed.known && c->open_qos2 > 0) --c->open_qos2;
  write_ack(*c, {completed.packet_id, PacketType::pubcomp,
                 completed.known ? ReasonCode::success : ReasonCode::packet_identifier_not_found});
  touch(*c);
}

void Front::on_pubrel(Connection& c, const mqtt::Ack& ack) {
  if (c.session != 0) {
    output_.hops[settings_.shard].emplace_back(
        hop::Release{c.lane, c.id, c.session, ack.packet_id});
    return;
  }
  const auto inbound = c.inbound.find(ack.packet_id);
  const Waiter waiter{Waiter::Kind::completion, c.id, ack.packet_id};
  if (inbound == c.inbound.end()) {
    write_ack(c, {ack.packet_id, PacketType::pubcomp, ReasonCode::packet_identifier_not_found});
    return touch(c);
  }
  const auto [message, due_at] = std::move(inbound->second);
  c.inbound.erase(inbound);
  c.inbound_bytes -= message->encoded().size();
  if (due_at != 0) {
    publisher_.publish_later({c.lane, 0, 0, 0, due_at, message, {}}, waiter);
    return;
  }
  auto word = word_of(c, settings_.command_prefix, message->view().topic, message->view().payload);
  if (word) publisher_.add_command_reply(std::move(*word));
  const auto outcome = publisher_.publish(message->view(), message, route_of(c),
                                          Publisher::Attempt::only, waiter, *this);
  if (!outcome.waits) on_published(waiter, false);
}

// ---- acknowledgements --------------------------------------------------------------------------

void Front::acknowledge(Connection& c, mqtt::PacketId id, PacketType type, ReasonCode reason,
                        AckText text) {
  const AckRing::Entry ack{id, type, reason, true, text};
  if (!c.acks.empty()) {
    c.acks.push(ack);
    return;
  }
  write_ack(c, ack);
  touch(c);
}

void Front::release_acks(Connection& c) {
  c.acks.release_ready([&](const AckRing::Entry& entry) { write_ack(c, entry); });
  if (c.acks.empty()) c.settles = false;
  touch(c);
}

// ---- what a client may not publish -------------------------------------------------------------

void Front::deny(Connection& c, const mqtt::Publish& p, ReasonCode reason, AckText text) {
  if (p.qos == Qos::at_most_once) return;
  const auto type = p.qos == Qos::at_least_once ? PacketType::puback : PacketType::pubrec;
  // 3.x has no word for it: the message is taken and goes nowhere, as its specification allows.
  // Its PUBREL finds nothing and is answered all the same.
  const bool told = c.version == mqtt::Version::v5;
  acknowledge(c, p.packet_id, type, told ? reason : ReasonCode::success, text);
}

}  // namespace naru::broker

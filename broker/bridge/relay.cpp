#include "broker/bridge/relay.hpp"

#include <algorithm>

#include "broker/mqtt/bridge_path.hpp"
#include "broker/mqtt/encoder.hpp"
#include "broker/mqtt/topics.hpp"

namespace naru::broker {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;

namespace {

constexpr std::size_t output_most = 1024 * 1024;

BytesView name_of(Side side) { return side == Side::local ? "this broker" : "the remote broker"; }

// The broker cannot take the message now; it has to come again.
bool is_passing(ReasonCode reason) {
  switch (reason) {
    case ReasonCode::quota_exceeded:
    case ReasonCode::server_busy:
    case ReasonCode::server_unavailable:
    case ReasonCode::server_shutting_down:
    case ReasonCode::packet_identifier_in_use:
    case ReasonCode::receive_maximum_exceeded:
    case ReasonCode::message_rate_too_high: return true;
    default: return false;
  }
}

}  // namespace

void Relay::begin(Side side, Version version, const mqtt::Connack& connack) {
  Leg& it = leg(side);
  it.version = version;
  it.qos_max = connack.maximum_qos;
  it.retain_available = connack.retain_available;
  it.session_present = connack.session_present;
  it.packet_size_max = connack.maximum_packet_size;
  if (side == Side::remote && settings_.packet_size_max != 0) {
    const std::uint32_t own = settings_.packet_size_max;
    it.packet_size_max = it.packet_size_max == 0 ? own : std::min(it.packet_size_max, own);
  }
  it.window = connack.receive_maximum;
  it.node =
      side == Side::local ? settings_.node : Bytes{mqtt::bridge_node(connack.user_properties)};
  it.open.clear();
  it.lowered.clear();
  it.settling.clear();
  if (!connack.session_present) it.answered.clear();
}

// A broker that has forgotten its session will send new messages under old ids: what the other
// side still holds under them is released, or it would take the new ones for the old.
void Relay::begin_relaying() {
  for (const Side side : {Side::local, Side::remote}) {
    Leg& it = leg(side);
    if (it.session_present) continue;
    for (const mqtt::PacketId id : it.owed) {
      it.settling.insert(id);
      acknowledge(other(side), PacketType::pubrel, id);
    }
    it.owed.clear();
  }
}

bool Relay::has_room(Side from) const {
  const Leg& to = legs_[place(other(from))];
  const Leg& it = legs_[place(from)];
  return to.output.size() <= output_most && it.output.size() <= output_most &&
         it.open.size() + it.settling.size() < to.window;
}

void Relay::acknowledge(Side side, PacketType type, mqtt::PacketId id) {
  Leg& to = leg(side);
  mqtt::encode_ack(to.output, to.version, type, id, ReasonCode::success);
}

// ---- publishes ---------------------------------------------------------------------------------

Bytes Relay::on_publish(Side from, const mqtt::Frame& frame) {
  mqtt::Publish publish;
  const Leg& it = leg(from);
  if (mqtt::decode_publish(frame, it.version, publish) != mqtt::DecodeError::none ||
      publish.topic.empty()) {
    return Bytes{name_of(from)} + " sent a malformed PUBLISH";
  }
  if (mqtt::has_passed(publish.properties, leg(other(from)).node)) {
    ++counters_.repeated;
    answer(from, publish);
    return {};
  }
  const auto topic = map_topic(settings_.topics, from, publish.topic);
  if (!topic) {
    drop(from, publish, "no topic line takes it");
  } else if (!mqtt::valid_topic(*topic) || topic->size() > mqtt::string_size_limit) {
    drop(from, publish, "with its new prefix it is no topic");
  } else if (!carry(from, publish, *topic)) {
    drop(from, publish, Bytes{"it is larger than "}.append(name_of(other(from))).append(" takes"));
  }
  return {};
}

// What passes on, and where it has been.
BytesView Relay::passing_properties(Side from, const mqtt::Publish& publish) {
  scratch_.clear();
  if (leg(other(from)).version != Version::v5) return {};
  mqtt::copy_properties_without(publish.properties, mqtt::hop_properties, scratch_);
  mqtt::append_passage(scratch_, leg(from).node);
  return scratch_;
}

bool Relay::carry(Side from, const mqtt::Publish& publish, const Bytes& topic) {
  Leg& it = leg(from);
  Leg& to = leg(other(from));
  mqtt::PublishHead head;
  head.qos = std::min(publish.qos, to.qos_max);
  head.dup = publish.dup && head.qos != Qos::at_most_once;
  const bool may_retain = from == Side::remote || settings_.outgoing_retain;
  head.retain = publish.retain && may_retain && to.retain_available;
  head.packet_id = head.qos == Qos::at_most_once ? mqtt::PacketId{0} : publish.packet_id;
  head.expiry = publish.expiry;
  const BytesView properties = passing_properties(from, publish);
  const std::size_t size = mqtt::publish_size(to.version, head, topic, properties, publish.payload);
  const std::size_t most = to.packet_size_max == 0 ? mqtt::packet_size_limit : to.packet_size_max;
  if (size > most) return false;
  mqtt::encode_publish(to.output, to.version, head, topic, properties, publish.payload);
  ++(from == Side::local ? counters_.sent : counters_.received);
  if (publish.qos == Qos::at_most_once) return true;
  if (head.qos == Qos::at_most_once) {
    answer(from, publish);
    return true;
  }
  it.open.insert(publish.packet_id);
  if (head.qos != publish.qos) it.lowered.insert(publish.packet_id);
  return true;
}

void Relay::drop(Side from, const mqtt::Publish& publish, BytesView why) {
  ++counters_.dropped;
  drop_ = "a message of topic " + Bytes{publish.topic} + " from " + Bytes{name_of(from)} + ": " +
          Bytes{why};
  answer(from, publish);
}

// It goes no further: as if it had arrived.
void Relay::answer(Side from, const mqtt::Publish& publish) {
  if (publish.qos == Qos::at_least_once) {
    acknowledge(from, PacketType::puback, publish.packet_id);
  } else if (publish.qos == Qos::exactly_once) {
    leg(from).answered.insert(publish.packet_id);
    acknowledge(from, PacketType::pubrec, publish.packet_id);
  }
}

// ---- acknowledgements --------------------------------------------------------------------------

Bytes Relay::on_ack(Side from, const mqtt::Frame& frame) {
  mqtt::Ack ack;
  if (mqtt::decode_ack(frame, leg(from).version, ack) != mqtt::DecodeError::none) {
    return Bytes{name_of(from)} + " sent a malformed acknowledgement";
  }
  const PacketType type = mqtt::type_of(frame);
  const mqtt::PacketId id = ack.packet_id;
  if (type == PacketType::pubrel) {
    on_pubrel(from, id);
    return {};
  }
  const Side to = other(from);
  Leg& origin = leg(to);  // Where the publish came from.
  if (type != PacketType::pubcomp && mqtt::is_failure(ack.reason)) return refused(from, type, ack);
  if (type == PacketType::pubcomp && origin.settling.erase(id) != 0) return {};
  if (type == PacketType::puback && origin.lowered.erase(id) != 0) {
    origin.answered.insert(id);
    origin.open.erase(id);
    acknowledge(to, PacketType::pubrec, id);
    return {};
  }
  if (type == PacketType::pubrec) {
    origin.owed.insert(id);
  } else {
    origin.open.erase(id);
    origin.owed.erase(id);
  }
  acknowledge(to, type, id);
  return {};
}

void Relay::on_pubrel(Side from, mqtt::PacketId id) {
  const bool known_there = leg(other(from)).qos_max == Qos::exactly_once;
  if (leg(from).answered.erase(id) != 0 || !known_there) {
    return acknowledge(from, PacketType::pubcomp, id);
  }
  acknowledge(other(from), PacketType::pubrel, id);
}

// A message that is not wanted for good is dropped and counted; one that only comes at the wrong
// time comes again on the next connection.
Bytes Relay::refused(Side by, PacketType type, const mqtt::Ack& ack) {
  const Bytes reason{mqtt::name(ack.reason)};
  if (is_passing(ack.reason)) return Bytes{name_of(by)} + " takes no messages now: " + reason;
  const Side to = other(by);
  Leg& origin = leg(to);
  ++counters_.dropped;
  drop_ = "a message: " + Bytes{name_of(by)} + " refused it: " + reason;
  const bool lowered = origin.lowered.erase(ack.packet_id) != 0;
  origin.open.erase(ack.packet_id);
  mqtt::Publish publish;
  publish.packet_id = ack.packet_id;
  publish.qos = lowered || type == PacketType::pubrec ? Qos::exactly_once : Qos::at_least_once;
  answer(to, publish);
  return {};
}

}  // namespace naru::broker

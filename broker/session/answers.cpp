#include "broker/session/answers.hpp"

#include "broker/mqtt/reason_text.hpp"
#include "broker/session/delayed_topic.hpp"
#include "broker/session/denials.hpp"
#include "broker/session/topic_kind.hpp"

namespace naru::broker {

using mqtt::ReasonCode;

namespace {

// write(packet) appends it.
template <class Packet, class Write>
void write_fitting(Connection& c, Packet packet, Write&& write) {
  const std::size_t before = c.output.size();
  write(packet);
  if (c.packet_size_max == 0 || c.output.size() - before <= c.packet_size_max) return;
  if (packet.reason_string.empty()) return;
  c.output.resize(before);
  packet.reason_string = {};
  write(packet);
}

template <class Packet>
void write_fitting(Connection& c, const Packet& packet) {
  write_fitting(c, packet, [&](const Packet& each) { mqtt::encode(each, c.version, c.output); });
}

BytesView text_or(BytesView text, ReasonCode reason) {
  return text.empty() ? mqtt::text_of(reason) : text;
}

BytesView text_of(const AckRing::Entry& ack) {
  switch (ack.text) {
    case AckText::of_code: break;
    case AckText::delayed_topic: return no_delayed_topic;
    case AckText::brokers_own: return brokers_own;
    case AckText::unreleased: return why_of(Denial::Kind::unreleased);
    case AckText::not_stored: return not_stored;
  }
  return mqtt::text_of(ack.reason);
}

// Of the first that refuses; empty: none does, or nobody wants to hear it.
BytesView text_of_codes(const Connection& c, BytesView codes) {
  if (!c.wants_reasons) return {};
  for (const char byte : codes) {
    const auto code = static_cast<ReasonCode>(byte);
    if (!mqtt::is_failure(code)) continue;
    switch (code) {
      case ReasonCode::topic_filter_invalid: return why_of(Denial::Kind::filter_levels);
      case ReasonCode::quota_exceeded: return why_of(Denial::Kind::filters_full);
      case ReasonCode::unspecified_error: return not_stored;
      default: return mqtt::text_of(code);
    }
  }
  return {};
}

}  // namespace

void write_connack_refusal(Connection& c, ReasonCode reason, BytesView text) {
  mqtt::Connack packet;
  packet.reason = reason;
  packet.reason_string = text_or(text, reason);
  write_fitting(c, packet);
}

void write_disconnect(Connection& c, ReasonCode reason, BytesView text) {
  mqtt::Disconnect packet;
  packet.reason = reason;
  packet.reason_string = text_or(text, reason);
  write_fitting(c, packet);
}

void write_suback(Connection& c, mqtt::PacketId id, BytesView codes) {
  write_fitting(c, mqtt::Suback{id, mqtt::ReasonCodes{codes}, text_of_codes(c, codes)});
}

void write_unsuback(Connection& c, mqtt::PacketId id, BytesView codes) {
  write_fitting(c, mqtt::Unsuback{id, mqtt::ReasonCodes{codes}, text_of_codes(c, codes)});
}

void write_ack_refusal(Connection& c, const AckRing::Entry& ack) {
  const mqtt::Ack refusal{ack.packet_id, ack.reason, text_of(ack)};
  write_fitting(c, refusal,
                [&](const mqtt::Ack& each) { mqtt::encode(each, ack.type, c.version, c.output); });
}

Bytes fault_text(ReasonCode reason, mqtt::PacketType in, BytesView what) {
  return Bytes{mqtt::name(reason)}.append(" in ").append(mqtt::name(in)).append(": ").append(what);
}

}  // namespace naru::broker

// broker/session/answers.hpp
//
// The answers that refuse, with a Reason String: a text of the place that refuses, or else that of
// the code. What succeeds is written without a look at any of it.
//
// Sans-IO; appends to the connection's output. Lives on its shard; keeps nothing.
// Bounded by: the client's Maximum Packet Size; what is larger with a text goes without it.
// Spec: MQTT 5.0 section 3.1.2.11.7: texts beyond CONNACK and DISCONNECT are for who wants them.
#pragma once

#include "broker/mqtt/encoder.hpp"
#include "broker/session/connection.hpp"

namespace naru::broker {

inline constexpr BytesView not_stored = "the broker could not store it";

void write_connack_refusal(Connection& c, mqtt::ReasonCode reason, BytesView text);
void write_disconnect(Connection& c, mqtt::ReasonCode reason, BytesView text);
// The text is that of the first code that refuses.
void write_suback(Connection& c, mqtt::PacketId id, BytesView codes);
void write_unsuback(Connection& c, mqtt::PacketId id, BytesView codes);

void write_ack_refusal(Connection& c, const AckRing::Entry& ack);
inline void write_ack(Connection& c, const AckRing::Entry& ack) {
  if (mqtt::is_failure(ack.reason) && c.wants_reasons) return write_ack_refusal(c, ack);
  mqtt::encode_ack(c.output, c.version, ack.type, ack.packet_id, ack.reason);
}

// For the log: the code's name, the packet and what is wrong with it.
Bytes fault_text(mqtt::ReasonCode reason, mqtt::PacketType in, BytesView what);

}  // namespace naru::broker

// broker/mqtt/encoder.hpp
//
// From packets to bytes, appended to what the caller gathers for one write. Both directions are
// here, because the broker and our own client speak through the same functions.
//
// Sans-IO:    pure functions. What a version cannot say is left out (properties in 3.x), what it
//             says in other words is translated (return codes).
// Lives on:   any thread.
// Owned by:   nobody; nothing is kept.
// Bounded by: REQUIRES everywhere: strings within 65535 bytes, the packet within
//             packet_size_limit, no view into `out`. Breaking that is a bug. Maximum Packet Size is
//             the caller's: ask publish_size() before, or the size of `out` after.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "broker/mqtt/packets.hpp"
#include "broker/mqtt/types.hpp"
#include "storage/base/bytes.hpp"

namespace naru::mqtt {

// What differs from one receiver of a message to the next.
struct PublishHead {
  bool dup = false;
  Qos qos = Qos::at_most_once;
  bool retain = false;
  PacketId packet_id = 0;  // Not 0 when qos is above at_most_once.
  std::optional<std::uint32_t> expiry{};
  std::span<const std::uint32_t> subscription_ids{};
  std::uint16_t topic_alias = 0;  // 0: none.
};

// Bytes on the wire, to compare with a client's Maximum Packet Size. May exceed
// packet_size_limit; then the packet cannot be encoded.
std::size_t publish_size(Version version, const PublishHead& head, BytesView topic,
                         BytesView properties, BytesView payload);

// `properties` are what passes unchanged, without hop_properties. The room is made once.
void encode_publish(Bytes& out, Version version, const PublishHead& head, BytesView topic,
                    BytesView properties, BytesView payload);

// PUBACK, PUBREC, PUBREL, PUBCOMP: four bytes, or five when MQTT 5 has a reason to give.
void encode_ack(Bytes& out, Version version, PacketType type, PacketId id, ReasonCode reason);
// The same with the reason string, where there is one.
void encode(const Ack& ack, PacketType type, Version version, Bytes& out);

// For who subscribes: builds the bytes that SubscribeEntries and Filters are made of.
void append_entry(Bytes& raw, const SubscribeEntry& entry);
void append_filter(Bytes& raw, BytesView filter);

void encode(const Connect& connect, Bytes& out);
void encode(const Connack& connack, Version version, Bytes& out);
void encode(const Subscribe& subscribe, Version version, Bytes& out);
void encode(const Suback& suback, Version version, Bytes& out);
void encode(const Unsubscribe& unsubscribe, Version version, Bytes& out);
void encode(const Unsuback& unsuback, Version version, Bytes& out);
void encode(const Pingreq& pingreq, Version version, Bytes& out);
void encode(const Pingresp& pingresp, Version version, Bytes& out);
void encode(const Disconnect& disconnect, Version version, Bytes& out);
void encode(const Auth& auth, Version version, Bytes& out);  // REQUIRES: version is v5.

}  // namespace naru::mqtt

// broker/mqtt/encoder.cpp: PUBLISH and acknowledgements are measured first and written once.
// The rest goes through BlockWriter; CONNECT, CONNACK, DISCONNECT and AUTH are in
// encode_connect.cpp.

#include "broker/mqtt/encoder.hpp"

#include <cstring>

#include "broker/mqtt/block_writer.hpp"
#include "broker/mqtt/fixed_header.hpp"
#include "broker/mqtt/topics.hpp"
#include "storage/base/byte_writer.hpp"
#include "storage/base/check.hpp"

namespace naru::mqtt {
namespace {

char* put_u8(char* at, unsigned value) {
  *at = static_cast<char>(value);
  return at + 1;
}

char* put_u16(char* at, unsigned value) { return put_u8(put_u8(at, value >> 8), value); }

char* put_u32(char* at, std::uint32_t value) { return put_u16(put_u16(at, value >> 16), value); }

char* put_bytes(char* at, BytesView bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

// The properties that are written anew for each receiver.
std::size_t hop_properties_size(const PublishHead& head) {
  std::size_t size = (head.expiry ? 5u : 0u) + (head.topic_alias != 0 ? 3u : 0u);
  for (const std::uint32_t id : head.subscription_ids) size += 1 + varint_size(id);
  return size;
}

char* put_hop_properties(char* at, const PublishHead& head) {
  if (head.expiry) at = put_u32(put_u8(at, property::message_expiry_interval), *head.expiry);
  if (head.topic_alias != 0) at = put_u16(put_u8(at, property::topic_alias), head.topic_alias);
  for (const std::uint32_t id : head.subscription_ids) {
    at = put_varint(put_u8(at, property::subscription_identifier), id);
  }
  return at;
}

struct PublishLayout {
  std::size_t properties;  // Length of the block, without the length field itself.
  std::size_t body;        // Remaining length.
};

PublishLayout publish_layout(Version version, const PublishHead& head, BytesView topic,
                             BytesView properties, BytesView payload) {
  PublishLayout layout{0, 2 + topic.size() + payload.size()};
  if (head.qos != Qos::at_most_once) layout.body += 2;
  if (version != Version::v5) return layout;
  layout.properties = properties.size() + hop_properties_size(head);
  layout.body += varint_size(layout.properties) + layout.properties;
  return layout;
}

unsigned publish_first_byte(const PublishHead& head) {
  return first_byte_of(PacketType::publish) | (head.dup ? 8u : 0u) |
         static_cast<unsigned>(head.qos) << 1 | (head.retain ? 1u : 0u);
}

std::uint8_t options_of(const SubscribeEntry& entry, Version version) {
  unsigned options = static_cast<unsigned>(entry.qos);
  if (version == Version::v5) {
    options |= (entry.no_local ? 4u : 0u) | (entry.retain_as_published ? 8u : 0u) |
               static_cast<unsigned>(entry.retain_handling) << 4;
  }
  return static_cast<std::uint8_t>(options);
}

constexpr char no_properties = 0;

// The properties of what answers: none, or why.
void write_reason_string(BytesView text, Bytes& out) {
  BlockWriter properties{out};
  properties.text_unless_empty(property::reason_string, text);
  properties.close();
}

}  // namespace

std::size_t publish_size(Version version, const PublishHead& head, BytesView topic,
                         BytesView properties, BytesView payload) {
  const std::size_t body = publish_layout(version, head, topic, properties, payload).body;
  return body > remaining_length_limit ? body + 5 : 1 + varint_size(body) + body;
}

void encode_publish(Bytes& out, Version version, const PublishHead& head, BytesView topic,
                    BytesView properties, BytesView payload) {
  const PublishLayout layout = publish_layout(version, head, topic, properties, payload);
  NARU_CHECK(layout.body <= remaining_length_limit && topic.size() <= string_size_limit);
  NARU_CHECK((head.packet_id != 0) || (head.qos == Qos::at_most_once));

  // Only the front is resized, which writes zeros; the payload is copied straight behind it.
  const std::size_t start = out.size();
  const std::size_t end = start + 1 + varint_size(layout.body) + layout.body;
  if (end > out.capacity()) out.reserve(end);
  out.resize(end - payload.size());
  char* at = out.data() + start;
  at = put_varint(put_u8(at, publish_first_byte(head)), layout.body);
  at = put_bytes(put_u16(at, static_cast<unsigned>(topic.size())), topic);
  if (head.qos != Qos::at_most_once) at = put_u16(at, head.packet_id);
  if (version == Version::v5) {
    at = put_varint(at, layout.properties);
    at = put_bytes(put_hop_properties(at, head), properties);
  }
  NARU_CHECK(at == out.data() + out.size());
  out.append(payload);
}

void encode_ack(Bytes& out, Version version, PacketType type, PacketId id, ReasonCode reason) {
  const bool with_reason = version == Version::v5 && reason != ReasonCode::success;
  char raw[5];
  char* at = put_u8(put_u8(raw, first_byte_of(type)), with_reason ? 3 : 2);
  put_u8(put_u16(at, id), static_cast<unsigned>(reason));
  out.append(raw, with_reason ? 5 : 4);
}

void encode(const Ack& ack, PacketType type, Version version, Bytes& out) {
  if (version != Version::v5 || ack.reason_string.empty()) {
    return encode_ack(out, version, type, ack.packet_id, ack.reason);
  }
  BlockWriter packet{out, type};
  packet.raw().u16(ack.packet_id);
  packet.raw().u8(static_cast<std::uint8_t>(ack.reason));
  write_reason_string(ack.reason_string, out);
  packet.close();
}

void append_entry(Bytes& raw, const SubscribeEntry& entry) {
  append_filter(raw, entry.filter);
  ByteWriter{raw}.u8(options_of(entry, Version::v5));
}

void append_filter(Bytes& raw, BytesView filter) {
  NARU_CHECK(filter.size() <= string_size_limit);
  ByteWriter{raw}.block16(filter);
}

void encode(const Subscribe& subscribe, Version version, Bytes& out) {
  BlockWriter packet{out, PacketType::subscribe};
  packet.raw().u16(subscribe.packet_id);
  if (version == Version::v5) {
    BlockWriter properties{out};
    if (subscribe.subscription_id != 0) {
      properties.varint(property::subscription_identifier, subscribe.subscription_id);
    }
    properties.close();
  }
  for (const SubscribeEntry& entry : subscribe.entries) {
    packet.text(entry.filter);
    packet.raw().u8(options_of(entry, version));
  }
  packet.close();
}

void encode(const Unsubscribe& unsubscribe, Version version, Bytes& out) {
  BlockWriter packet{out, PacketType::unsubscribe};
  packet.raw().u16(unsubscribe.packet_id);
  if (version == Version::v5) packet.raw().bytes({&no_properties, 1});
  packet.raw().bytes(unsubscribe.filters.raw());
  packet.close();
}

void encode(const Suback& suback, Version version, Bytes& out) {
  BlockWriter packet{out, PacketType::suback};
  packet.raw().u16(suback.packet_id);
  if (version == Version::v5) write_reason_string(suback.reason_string, out);
  for (const ReasonCode code : suback.codes) {
    // 3.x knows one way to fail.
    const bool plain = version != Version::v5 && is_failure(code);
    packet.raw().u8(plain ? 0x80 : static_cast<std::uint8_t>(code));
  }
  packet.close();
}

void encode(const Unsuback& unsuback, Version version, Bytes& out) {
  BlockWriter packet{out, PacketType::unsuback};
  packet.raw().u16(unsuback.packet_id);
  if (version == Version::v5) {
    write_reason_string(unsuback.reason_string, out);
    packet.raw().bytes(unsuback.codes.raw());
  }
  packet.close();
}

void encode(const Pingreq&, Version, Bytes& out) { out.append("\xc0\0", 2); }

void encode(const Pingresp&, Version, Bytes& out) { out.append("\xd0\0", 2); }

}  // namespace naru::mqtt

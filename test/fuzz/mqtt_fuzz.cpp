// test/fuzz/mqtt_fuzz.cpp
//
// Goal: no bytes make the codec read out of bounds, and whatever decodes survives a round trip.
// Method: the first byte chooses the version and a size limit, the rest is a stream of packets.
// What decodes is encoded and decoded again: every field must be the same, and the second
// encoding must be the first, byte for byte.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker/mqtt/decoder.hpp"
#include "broker/mqtt/encoder.hpp"
#include "broker/mqtt/topics.hpp"
#include "storage/base/check.hpp"

namespace naru::mqtt {
namespace {

Bytes pairs_of(const UserProperties& properties) {
  Bytes out;
  for (const Property& pair : properties) {
    out.append(pair.bytes).append(1, '\0').append(pair.value).append(1, '\0');
  }
  return out;
}

std::vector<std::uint32_t> list_of(const SubscriptionIds& ids) {
  std::vector<std::uint32_t> list;
  for (const std::uint32_t id : ids) list.push_back(id);
  return list;
}

Bytes forwardable(BytesView properties) {
  Bytes out;
  copy_properties_without(properties, hop_properties, out);
  return out;
}

bool same(const Will& a, const Will& b) {
  return a.topic == b.topic && a.payload == b.payload && a.qos == b.qos && a.retain == b.retain &&
         a.delay_interval == b.delay_interval && a.expiry == b.expiry &&
         forwardable(a.properties) == forwardable(b.properties);
}

bool same(const Connect& a, const Connect& b) {
  if (a.will.has_value() != b.will.has_value()) return false;
  if (a.will && !same(*a.will, *b.will)) return false;
  return a.version == b.version && a.clean_start == b.clean_start && a.keep_alive == b.keep_alive &&
         a.client_id == b.client_id && a.username == b.username && a.password == b.password &&
         a.session_expiry_interval == b.session_expiry_interval &&
         a.receive_maximum == b.receive_maximum && a.maximum_packet_size == b.maximum_packet_size &&
         a.topic_alias_maximum == b.topic_alias_maximum &&
         a.request_response_information == b.request_response_information &&
         a.request_problem_information == b.request_problem_information &&
         a.authentication_method == b.authentication_method &&
         a.authentication_data == b.authentication_data &&
         pairs_of(a.user_properties) == pairs_of(b.user_properties);
}

bool same(const Connack& a, const Connack& b) {
  return a.session_present == b.session_present && a.reason == b.reason &&
         a.assigned_client_id == b.assigned_client_id &&
         a.server_keep_alive == b.server_keep_alive &&
         a.session_expiry_interval == b.session_expiry_interval &&
         a.receive_maximum == b.receive_maximum && a.maximum_qos == b.maximum_qos &&
         a.retain_available == b.retain_available &&
         a.maximum_packet_size == b.maximum_packet_size &&
         a.topic_alias_maximum == b.topic_alias_maximum &&
         a.wildcard_subscription_available == b.wildcard_subscription_available &&
         a.subscription_identifier_available == b.subscription_identifier_available &&
         a.shared_subscription_available == b.shared_subscription_available &&
         a.reason_string == b.reason_string && a.response_information == b.response_information &&
         a.server_reference == b.server_reference &&
         a.authentication_method == b.authentication_method &&
         a.authentication_data == b.authentication_data;
}

bool same(const Publish& a, const Publish& b) {
  return a.dup == b.dup && a.qos == b.qos && a.retain == b.retain && a.packet_id == b.packet_id &&
         a.topic_alias == b.topic_alias && a.expiry == b.expiry && a.topic == b.topic &&
         a.payload == b.payload && a.properties_clean == b.properties_clean &&
         forwardable(a.properties) == forwardable(b.properties) &&
         list_of(a.subscription_ids) == list_of(b.subscription_ids);
}

bool same(const Ack& a, const Ack& b) {
  return a.packet_id == b.packet_id && a.reason == b.reason && a.reason_string == b.reason_string;
}

bool same(const Subscribe& a, const Subscribe& b) {
  return a.packet_id == b.packet_id && a.subscription_id == b.subscription_id &&
         a.entries.raw() == b.entries.raw() && a.entries.size() == b.entries.size();
}

bool same(const Unsubscribe& a, const Unsubscribe& b) {
  return a.packet_id == b.packet_id && a.filters.raw() == b.filters.raw();
}

bool same(const Suback& a, const Suback& b) {
  return a.packet_id == b.packet_id && a.codes.raw() == b.codes.raw() &&
         a.reason_string == b.reason_string;
}

bool same(const Unsuback& a, const Unsuback& b) {
  return a.packet_id == b.packet_id && a.codes.raw() == b.codes.raw() &&
         a.reason_string == b.reason_string;
}

bool same(const Disconnect& a, const Disconnect& b) {
  return a.reason == b.reason && a.session_expiry_interval == b.session_expiry_interval &&
         a.reason_string == b.reason_string && a.server_reference == b.server_reference;
}

bool same(const Auth& a, const Auth& b) {
  return a.reason == b.reason && a.method == b.method && a.data == b.data &&
         a.reason_string == b.reason_string;
}

void encode(const Publish& publish, Version version, Bytes& out) {
  const std::vector<std::uint32_t> ids = list_of(publish.subscription_ids);
  const PublishHead head{.dup = publish.dup,
                         .qos = publish.qos,
                         .retain = publish.retain,
                         .packet_id = publish.packet_id,
                         .expiry = publish.expiry,
                         .subscription_ids = ids,
                         .topic_alias = publish.topic_alias};
  const Bytes properties = forwardable(publish.properties);
  const std::size_t size = publish_size(version, head, publish.topic, properties, publish.payload);
  encode_publish(out, version, head, publish.topic, properties, publish.payload);
  NARU_CHECK(out.size() == size);
}

// What a decoded packet promises to the broker beyond what a round trip shows.
void check_promises(const Publish& publish) {
  NARU_CHECK(valid_topic(publish.topic) || (publish.topic.empty() && publish.topic_alias != 0));
  NARU_CHECK((publish.packet_id != 0) == (publish.qos != Qos::at_most_once));
  NARU_CHECK(publish.properties_clean == (forwardable(publish.properties) == publish.properties));
}

void check_promises(const Subscribe& subscribe) {
  NARU_CHECK(!subscribe.entries.empty());
  for (const SubscribeEntry& entry : subscribe.entries) {
    NARU_CHECK(valid_filter(entry.filter) && entry.qos <= Qos::exactly_once);
    NARU_CHECK(entry.retain_handling <= 2 && !(entry.no_local && is_shared(entry.filter)));
  }
}

template <class Packet>
void check_promises(const Packet&) {}

// decode(frame, packet) and write(packet, out) for one type of packet.
template <class Packet, class Decode, class Write>
void round_trip(const Frame& frame, Decode decode, Write write) {
  Packet first;
  if (decode(frame, first) != DecodeError::none) return;
  check_promises(first);
  Bytes once;
  write(first, once);
  Frame again;
  NARU_CHECK(next_frame(once, 0, again) == Framing::complete && again.size == once.size());
  Packet second;
  NARU_CHECK(decode(again, second) == DecodeError::none);
  NARU_CHECK(same(first, second));
  Bytes twice;
  write(second, twice);
  NARU_CHECK(once == twice);
}

template <class Packet>
void round_trip(const Frame& frame, Version version,
                DecodeError (*decode)(const Frame&, Version, Packet&)) {
  round_trip<Packet>(
      frame, [&](const Frame& from, Packet& to) { return decode(from, version, to); },
      [&](const Packet& from, Bytes& to) { encode(from, version, to); });
}

void round_trip(const Frame& frame, Version version) {
  switch (type_of(frame)) {
    case PacketType::connect:
      return round_trip<Connect>(frame, decode_connect,
                                 [](const Connect& from, Bytes& to) { encode(from, to); });
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      return round_trip<Ack>(
          frame, [&](const Frame& from, Ack& to) { return decode_ack(from, version, to); },
          [&](const Ack& from, Bytes& to) { encode(from, type_of(frame), version, to); });
    case PacketType::connack: return round_trip(frame, version, decode_connack);
    case PacketType::publish: return round_trip(frame, version, decode_publish);
    case PacketType::subscribe: return round_trip(frame, version, decode_subscribe);
    case PacketType::suback: return round_trip(frame, version, decode_suback);
    case PacketType::unsubscribe: return round_trip(frame, version, decode_unsubscribe);
    case PacketType::unsuback: return round_trip(frame, version, decode_unsuback);
    case PacketType::disconnect: return round_trip(frame, version, decode_disconnect);
    case PacketType::auth: return round_trip(frame, version, decode_auth);
    case PacketType::pingreq: static_cast<void>(decode_pingreq(frame)); return;
    case PacketType::pingresp: static_cast<void>(decode_pingresp(frame)); return;
  }
}

}  // namespace
}  // namespace naru::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace naru;
  using namespace naru::mqtt;
  if (size == 0) return 0;
  const auto version = static_cast<Version>(3 + data[0] % 3);
  const std::uint32_t packet_size_max = data[0] >= 0x80 ? data[0] : 0;
  // libFuzzer's block has exactly this size, so that a byte read beyond it is seen.
  BytesView rest{reinterpret_cast<const char*>(data) + 1, size - 1};
  Frame frame;
  while (next_frame(rest, packet_size_max, frame) == Framing::complete) {
    NARU_CHECK(frame.size >= 2 && frame.size <= rest.size());
    round_trip(frame, version);
    rest.remove_prefix(frame.size);
  }
  // The matcher must stop on anything.
  const BytesView text{reinterpret_cast<const char*>(data), size};
  static_cast<void>(filter_matches(text.substr(0, size / 2), text.substr(size / 2)));
  return 0;
}

// test/broker/mqtt/golden_test.cpp
//
// Goal: the bytes of every packet of every version are those of the specification, both ways, and
// nothing that merely looks like them is taken. Method: one table of whole packets; each is
// decoded, encoded again and compared, then cut, lengthened and changed byte by byte.

#include <catch2/catch.hpp>

#include <string_view>
#include <vector>

#include "broker/mqtt/decoder.hpp"
#include "broker/mqtt/encoder.hpp"
#include "test/support/exact_buffer.hpp"
#include "test/support/hex.hpp"

namespace naru::mqtt {
namespace {

using test::ExactBuffer, test::from_hex, test::to_hex;

struct Golden {
  std::string_view name;
  Version version;
  std::string_view hex;
  int good_cuts;  // How many shorter bodies, with a length that fits, are packets as well.
  bool may_grow;  // Whether one more byte 00 makes another packet.
};

// clang-format off
constexpr Golden golden_packets[] = {
    {"CONNECT", Version::v3_1,
     "10 17 00 06 'MQIsdp' 03 02 00 3c 00 09 'client-31'", 0, false},
    {"CONNECT of a bridge", Version::v3_1,
     "10 0f 00 06 'MQIsdp' 83 02 00 0a 00 01 'a'", 0, false},
    {"CONNECT with user name and password", Version::v3_1,
     "10 15 00 06 'MQIsdp' 03 c2 00 3c 00 01 'c' 00 01 'u' 00 01 'p'", 2, false},
    {"CONNACK", Version::v3_1,
     "20 02 00 02", 0, false},
    {"SUBSCRIBE", Version::v3_1,
     "82 06 00 01 00 01 'a' 01", 0, false},
    {"PUBREL", Version::v3_1,
     "62 02 00 01", 0, false},
    {"CONNECT of a bridge", Version::v3_1_1,
     "10 0d 00 04 'MQTT' 84 02 00 3c 00 01 'a'", 0, false},
    {"CONNECT", Version::v3_1_1,
     "10 0c 00 04 'MQTT' 04 02 00 3c 00 00", 0, false},
    {"CONNECT with all", Version::v3_1_1,
     "10 1d 00 04 'MQTT' 04 ee 00 0a 00 01 'c' 00 03 'w/t' 00 02 'hi' 00 01 'u' 00 02 "
     "'pw'", 0, false},
    {"CONNACK with a session", Version::v3_1_1,
     "20 02 01 00", 0, false},
    {"CONNACK refused", Version::v3_1_1,
     "20 02 00 05", 0, false},
    {"PUBLISH", Version::v3_1_1,
     "30 07 00 03 'a/b' 'hi'", 2, true},
    {"PUBLISH of QoS 2 again", Version::v3_1_1,
     "3d 09 00 03 'a/b' 00 0a 'hi'", 2, true},
    {"PUBLISH of nothing", Version::v3_1_1,
     "31 03 00 01 'a'", 0, true},
    {"PUBACK", Version::v3_1_1,
     "40 02 00 01", 0, false},
    {"PUBREC", Version::v3_1_1,
     "50 02 12 34", 0, false},
    {"PUBREL", Version::v3_1_1,
     "62 02 ff ff", 0, false},
    {"PUBCOMP", Version::v3_1_1,
     "70 02 00 01", 0, false},
    {"SUBSCRIBE", Version::v3_1_1,
     "82 0e 00 0a 00 03 'a/b' 01 00 03 'c/d' 02", 1, false},
    {"SUBACK", Version::v3_1_1,
     "90 06 00 0a 00 01 02 80", 3, true},
    {"UNSUBSCRIBE", Version::v3_1_1,
     "a2 0a 00 0a 00 03 'a/b' 00 01 'c'", 1, false},
    {"UNSUBACK", Version::v3_1_1,
     "b0 02 00 0a", 0, false},
    {"PINGREQ", Version::v3_1_1,
     "c0 00", 0, false},
    {"PINGRESP", Version::v3_1_1,
     "d0 00", 0, false},
    {"DISCONNECT", Version::v3_1_1,
     "e0 00", 0, false},
    {"CONNECT", Version::v5,
     "10 0d 00 04 'MQTT' 05 02 00 3c 00 00 00", 0, false},
    {"CONNECT with a password alone", Version::v5,
     "10 11 00 04 'MQTT' 05 40 00 00 00 00 01 'c' 00 01 00", 0, false},
    {"CONNECT with all", Version::v5,
     "10 6e 00 04 'MQTT' 05 f6 00 0a 2d 11 00 00 0e 10 21 00 14 27 00 01 00 00 22 00 0a "
     "19 01 17 00 15 00 03 'SCR' 16 00 02 00 ff 26 00 01 'k' 00 01 'v' 26 00 01 'k' 00 "
     "01 'w' 00 01 'c' 22 18 00 00 00 05 02 00 00 00 3c 01 01 03 00 01 't' 08 00 03 "
     "'r/p' 09 00 02 01 02 26 00 01 'a' 00 01 'b' 00 03 'w/t' 00 02 'hi' 00 01 'u' 00 02 "
     "'pw'", 0, false},
    {"CONNACK", Version::v5,
     "20 03 01 00 00", 0, false},
    {"CONNACK with all", Version::v5,
     "20 3c 00 00 39 11 00 00 0e 10 21 00 14 24 01 25 00 27 00 01 00 00 12 00 02 'id' 22 "
     "00 0a 1f 00 02 'ok' 28 00 29 00 2a 00 13 00 1e 1a 00 02 'ri' 1c 00 02 'sr' 15 00 "
     "01 'm' 16 00 01 'd'", 0, false},
    {"CONNACK refused", Version::v5,
     "20 03 00 87 00", 0, false},
    {"PUBLISH", Version::v5,
     "30 08 00 03 'a/b' 00 'hi'", 2, true},
    {"PUBLISH by alias", Version::v5,
     "32 09 00 00 00 07 03 23 00 05 'x'", 1, true},
    {"PUBLISH with all", Version::v5,
     "35 36 00 03 'a/b' 00 0a 2c 02 00 00 00 3c 23 00 05 0b 07 0b 80 01 01 01 03 00 01 "
     "'t' 08 00 03 'r/p' 09 00 02 01 02 26 00 01 'a' 00 01 'b' 26 00 01 'a' 00 01 'c' "
     "'hi'", 2, true},
    {"PUBACK", Version::v5,
     "40 02 00 01", 0, true},
    {"PUBACK with a reason", Version::v5,
     "40 03 00 01 10", 1, true},
    {"PUBREC with all", Version::v5,
     "50 0b 00 01 97 07 1f 00 04 'full'", 2, false},
    {"PUBREL", Version::v5,
     "62 03 00 01 92", 1, true},
    {"PUBCOMP", Version::v5,
     "70 03 00 01 92", 1, true},
    {"SUBSCRIBE", Version::v5,
     "82 19 00 0a 03 0b 80 01 00 03 'a/b' 2e 00 0a '$share/g/a' 01", 1, false},
    {"SUBACK", Version::v5,
     "90 07 00 0a 00 00 01 02 8f", 3, true},
    {"UNSUBSCRIBE", Version::v5,
     "a2 06 00 0a 00 00 01 'a'", 0, false},
    {"UNSUBACK", Version::v5,
     "b0 05 00 0a 00 00 11", 1, true},
    {"PINGREQ", Version::v5,
     "c0 00", 0, false},
    {"PINGRESP", Version::v5,
     "d0 00", 0, false},
    {"DISCONNECT", Version::v5,
     "e0 00", 0, true},
    {"DISCONNECT with a reason", Version::v5,
     "e0 01 04", 1, true},
    {"DISCONNECT with all", Version::v5,
     "e0 12 9d 10 11 00 00 00 05 1f 00 03 'why' 1c 00 02 'sr'", 2, false},
    {"AUTH of success", Version::v5,
     "f0 00", 0, false},
    {"AUTH", Version::v5,
     "f0 0f 18 0d 15 00 01 'm' 16 00 01 'd' 1f 00 02 'ok'", 1, false},
};
// clang-format on

void encode_again(const Publish& publish, Version version, Bytes& out) {
  std::vector<std::uint32_t> ids;
  for (const std::uint32_t id : publish.subscription_ids) ids.push_back(id);
  const PublishHead head{.dup = publish.dup,
                         .qos = publish.qos,
                         .retain = publish.retain,
                         .packet_id = publish.packet_id,
                         .expiry = publish.expiry,
                         .subscription_ids = ids,
                         .topic_alias = publish.topic_alias};
  Bytes forwarded;
  copy_properties_without(publish.properties, hop_properties, forwarded);
  CHECK((forwarded == publish.properties) == publish.properties_clean);
  const std::size_t before = out.size();
  encode_publish(out, version, head, publish.topic, forwarded, publish.payload);
  CHECK(out.size() - before ==
        publish_size(version, head, publish.topic, forwarded, publish.payload));
}

template <class Packet>
DecodeError transcode(DecodeError (*decode)(const Frame&, Version, Packet&), const Frame& frame,
                      Version version, Bytes& out) {
  Packet packet;
  const DecodeError error = decode(frame, version, packet);
  if (error == DecodeError::none) encode(packet, version, out);
  return error;
}

// Decodes a packet of any type and, if it is one, appends what the encoder makes of it.
DecodeError transcode(const Frame& frame, Version version, Bytes& out) {
  DecodeError error = DecodeError::none;
  switch (type_of(frame)) {
    case PacketType::connect: {
      Connect connect;
      error = decode_connect(frame, connect);
      if (error == DecodeError::none) encode(connect, out);
      return error;
    }
    case PacketType::publish: {
      Publish publish;
      error = decode_publish(frame, version, publish);
      if (error == DecodeError::none) encode_again(publish, version, out);
      return error;
    }
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: {
      Ack ack;
      error = decode_ack(frame, version, ack);
      if (error == DecodeError::none) encode(ack, type_of(frame), version, out);
      return error;
    }
    case PacketType::pingreq:
      error = decode_pingreq(frame);
      if (error == DecodeError::none) encode(Pingreq{}, version, out);
      return error;
    case PacketType::pingresp:
      error = decode_pingresp(frame);
      if (error == DecodeError::none) encode(Pingresp{}, version, out);
      return error;
    case PacketType::connack: return transcode(decode_connack, frame, version, out);
    case PacketType::subscribe: return transcode(decode_subscribe, frame, version, out);
    case PacketType::suback: return transcode(decode_suback, frame, version, out);
    case PacketType::unsubscribe: return transcode(decode_unsubscribe, frame, version, out);
    case PacketType::unsuback: return transcode(decode_unsuback, frame, version, out);
    case PacketType::disconnect: return transcode(decode_disconnect, frame, version, out);
    case PacketType::auth: return transcode(decode_auth, frame, version, out);
  }
  return DecodeError::malformed;
}

// Whether the whole buffer is one packet; it is read from a block of exactly its size.
bool is_packet(BytesView wire, Version version, Bytes& again) {
  const ExactBuffer exact{wire};
  Frame frame;
  if (next_frame(exact.view(), 0, frame) != Framing::complete) return false;
  if (frame.size != wire.size()) return false;
  return transcode(frame, version, again) == DecodeError::none;
}

bool is_packet(BytesView wire, Version version) {
  Bytes again;
  return is_packet(wire, version, again);
}

// The same first byte with another body, its length counted right.
Bytes with_body(std::uint8_t first_byte, BytesView body) {
  char length[4];
  const char* const end = put_varint(length, body.size());
  Bytes wire(1, static_cast<char>(first_byte));
  return wire.append(length, static_cast<std::size_t>(end - length)).append(body);
}

Frame frame_of(BytesView wire) {
  Frame frame;
  REQUIRE(next_frame(wire, 0, frame) == Framing::complete);
  REQUIRE(frame.size == wire.size());
  return frame;
}

}  // namespace

TEST_CASE("Every packet decodes and encodes to the bytes of the specification", "[mqtt]") {
  for (const Golden& golden : golden_packets) {
    CAPTURE(golden.name, golden.version);
    const Bytes wire = from_hex(golden.hex);
    Bytes again;
    CHECK(is_packet(wire, golden.version, again));
    CHECK(to_hex(again) == to_hex(wire));
  }
}

TEST_CASE("The start of a packet is incomplete, never more", "[mqtt]") {
  for (const Golden& golden : golden_packets) {
    CAPTURE(golden.name, golden.version);
    const Bytes wire = from_hex(golden.hex);
    for (std::size_t size = 0; size < wire.size(); ++size) {
      const ExactBuffer exact{wire.substr(0, size)};
      Frame frame;
      CHECK(next_frame(exact.view(), 0, frame) == Framing::incomplete);
      CHECK(frame.body.empty());
    }
  }
}

TEST_CASE("A packet cut short with a length that fits is refused", "[mqtt]") {
  for (const Golden& golden : golden_packets) {
    CAPTURE(golden.name, golden.version);
    const Bytes wire = from_hex(golden.hex);
    const Frame frame = frame_of(wire);
    int good = 0;
    for (std::size_t size = 0; size < frame.body.size(); ++size) {
      good += is_packet(with_body(frame.first_byte, frame.body.substr(0, size)), golden.version);
    }
    CHECK(good == golden.good_cuts);
  }
}

TEST_CASE("A packet with one byte more is refused", "[mqtt]") {
  for (const Golden& golden : golden_packets) {
    CAPTURE(golden.name, golden.version);
    const Bytes wire = from_hex(golden.hex);
    const Frame frame = frame_of(wire);
    CHECK(is_packet(with_body(frame.first_byte, Bytes(frame.body) + '\0'), golden.version) ==
          golden.may_grow);
    // Behind the packet it belongs to the next one.
    Frame same;
    CHECK(next_frame(wire + '\0', 0, same) == Framing::complete);
    CHECK(same.size == frame.size);
  }
}

TEST_CASE("No changed byte makes a packet that is not its own encoding's", "[mqtt]") {
  for (const Golden& golden : golden_packets) {
    const Bytes wire = from_hex(golden.hex);
    for (std::size_t at = 0; at < wire.size(); ++at) {
      const auto old = static_cast<unsigned char>(wire[at]);
      for (const int byte : {0, 1, 2, 3, 0x7f, 0x80, 0xff, old - 1, old + 1, old ^ 0x20}) {
        Bytes changed = wire;
        changed[at] = static_cast<char>(byte);
        Bytes once, twice;
        if (!is_packet(changed, golden.version, once)) continue;
        CAPTURE(golden.name, to_hex(changed), to_hex(once));
        // A changed CONNECT may have become another version's; the encoder keeps that one.
        CHECK(is_packet(once, golden.version, twice));
        CHECK(to_hex(twice) == to_hex(once));
      }
    }
  }
}

TEST_CASE("Flags that a packet does not have are malformed", "[mqtt][MQTT-2.1.3-1]") {
  for (const Golden& golden : golden_packets) {
    const Bytes wire = from_hex(golden.hex);
    const PacketType type = type_of(frame_of(wire));
    if (type == PacketType::publish) continue;
    const bool loose = golden.version == Version::v3_1 &&
                       (type == PacketType::pubrel || type == PacketType::subscribe);
    for (int flags = 0; flags < 16; ++flags) {
      CAPTURE(golden.name, golden.version, flags);
      Bytes changed = wire;
      changed[0] = static_cast<char>((wire[0] & 0xf0) | flags);
      CHECK(is_packet(changed, golden.version) == (changed == wire || loose));
    }
  }
}

}  // namespace naru::mqtt

// test/broker/mqtt/decoder_test.cpp
//
// Goal: what the decoder says about a packet, field by field, and how it names what is wrong.
// Method: packets in hexadecimal, read from heap blocks of exactly their size.

#include <catch2/catch.hpp>

#include <string_view>
#include <vector>

#include "broker/mqtt/decoder.hpp"
#include "storage/base/byte_writer.hpp"
#include "test/support/exact_buffer.hpp"
#include "test/support/hex.hpp"

namespace naru::mqtt {
namespace {

using test::ExactBuffer, test::from_hex;
using E = DecodeError;

// Puts the length between the first byte and the rest; both in hexadecimal.
Bytes packet(std::string_view first_byte, std::string_view rest) {
  const Bytes body = from_hex(rest);
  Bytes wire = from_hex(first_byte);
  ByteWriter{wire}.varint(static_cast<std::uint32_t>(body.size()));
  return wire + body;
}

// A packet that stays alive while a test looks at the views into it.
struct Received {
  explicit Received(BytesView bytes) : buffer(bytes) {
    REQUIRE(next_frame(buffer.view(), 0, frame) == Framing::complete);
  }
  Received(std::string_view first_byte, std::string_view rest)
      : Received(packet(first_byte, rest)) {}

  ExactBuffer buffer;
  Frame frame;
};

struct Refusal {
  std::string_view what;
  Version version;
  std::string_view first_byte;
  std::string_view rest;
  DecodeError error;
};

template <class Packet>
DecodeError result_of(DecodeError (*decode)(const Frame&, Version, Packet&), const Frame& frame,
                      Version version) {
  Packet decoded;
  return decode(frame, version, decoded);
}

DecodeError result_of(const Frame& frame, Version version) {
  Connect connect;
  switch (type_of(frame)) {
    case PacketType::connect: return decode_connect(frame, connect);
    case PacketType::connack: return result_of(decode_connack, frame, version);
    case PacketType::publish: return result_of(decode_publish, frame, version);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: return result_of(decode_ack, frame, version);
    case PacketType::subscribe: return result_of(decode_subscribe, frame, version);
    case PacketType::suback: return result_of(decode_suback, frame, version);
    case PacketType::unsubscribe: return result_of(decode_unsubscribe, frame, version);
    case PacketType::unsuback: return result_of(decode_unsuback, frame, version);
    case PacketType::pingreq: return decode_pingreq(frame);
    case PacketType::pingresp: return decode_pingresp(frame);
    case PacketType::disconnect: return result_of(decode_disconnect, frame, version);
    case PacketType::auth: return result_of(decode_auth, frame, version);
  }
  return DecodeError::malformed;
}

constexpr auto v3 = Version::v3_1, v4 = Version::v3_1_1, v5 = Version::v5;

// clang-format off
constexpr Refusal refusals[] = {
  {"CONNECT of level 6",              v5, "10", "00 04 'MQTT' 06 02 00 00 00 00 00", E::unsupported_version},
  {"CONNECT of level 3 as MQTT",      v4, "10", "00 04 'MQTT' 03 02 00 00 00 00", E::unsupported_version},
  {"CONNECT of level 4 as MQIsdp",    v3, "10", "00 06 'MQIsdp' 04 02 00 00 00 00", E::unsupported_version},
  {"CONNECT of a bridge, level 5",    v4, "10", "00 04 'MQTT' 85 02 00 00 00 00 00", E::unsupported_version},
  {"CONNECT of a bridge, no level",   v4, "10", "00 04 'MQTT' 80 02 00 00 00 00", E::unsupported_version},
  {"CONNECT of another protocol",     v4, "10", "00 04 'HTTP' 04 02 00 00 00 00", E::unsupported_version},
  {"CONNECT with its reserved flag",  v4, "10", "00 04 'MQTT' 04 03 00 00 00 00", E::malformed},
  {"CONNECT with its reserved flag",  v5, "10", "00 04 'MQTT' 05 03 00 00 00 00 00", E::malformed},
  {"CONNECT with will QoS 3",         v4, "10", "00 04 'MQTT' 04 1e 00 00 00 00 00 01 'w' 00 00", E::malformed},
  {"CONNECT with will QoS 3",         v3, "10", "00 06 'MQIsdp' 03 1e 00 00 00 01 'c' 00 01 'w' 00 00", E::malformed},
  {"CONNECT, will QoS without will",  v4, "10", "00 04 'MQTT' 04 0a 00 00 00 00", E::malformed},
  {"CONNECT, will retain, no will",   v5, "10", "00 04 'MQTT' 05 22 00 00 00 00 00", E::malformed},
  {"CONNECT, password, no user name", v4, "10", "00 04 'MQTT' 04 42 00 00 00 00 00 01 'p'", E::malformed},
  {"CONNECT, password, no user name", v3, "10", "00 06 'MQIsdp' 03 42 00 00 00 01 'c' 00 01 'p'", E::malformed},
  {"CONNECT, user name missing",      v4, "10", "00 04 'MQTT' 04 82 00 00 00 00", E::malformed},
  {"CONNECT, client id not UTF-8",    v4, "10", "00 04 'MQTT' 04 02 00 00 00 01 ff", E::malformed},
  {"CONNECT, client id with zero",    v4, "10", "00 04 'MQTT' 04 02 00 00 00 01 00", E::malformed},
  {"CONNECT, user name not UTF-8",    v4, "10", "00 04 'MQTT' 04 82 00 00 00 00 00 02 ed a0", E::malformed},
  {"CONNECT, will topic with +",      v4, "10", "00 04 'MQTT' 04 06 00 00 00 00 00 01 '+' 00 00", E::invalid_topic},
  {"CONNECT, will topic empty",       v4, "10", "00 04 'MQTT' 04 06 00 00 00 00 00 00 00 00", E::invalid_topic},
  {"CONNECT, will topic not UTF-8",   v4, "10", "00 04 'MQTT' 04 06 00 00 00 00 00 01 80 00 00", E::malformed},
  {"CONNECT, auth data, no method",   v5, "10", "00 04 'MQTT' 05 02 00 00 04 16 00 01 'd' 00 00", E::protocol_error},
  {"CONNECT, receive maximum 0",      v5, "10", "00 04 'MQTT' 05 02 00 00 03 21 00 00 00 00", E::property_value},
  {"CONNECT, packet size maximum 0",  v5, "10", "00 04 'MQTT' 05 02 00 00 05 27 00 00 00 00 00 00", E::property_value},
  {"CONNECT, a will's property",      v5, "10", "00 04 'MQTT' 05 02 00 00 05 18 00 00 00 01 00 00", E::property_misplaced},
  {"CONNECT, a property of none",     v5, "10", "00 04 'MQTT' 05 02 00 00 02 7f 00 00 00", E::property_unknown},
  {"CONNECT, bytes left over",        v4, "10", "00 04 'MQTT' 04 02 00 00 00 00 00", E::malformed},
  {"CONNACK with other flags",        v4, "20", "02 00", E::malformed},
  {"CONNACK of a reserved code",      v4, "20", "00 06", E::protocol_error},
  {"CONNACK refused, with session",   v4, "20", "01 05", E::protocol_error},
  {"CONNACK refused, with session",   v5, "20", "01 87 00", E::protocol_error},
  {"CONNACK of no reason",            v5, "20", "00 05 00", E::protocol_error},
  {"PUBLISH of QoS 3",                v4, "36", "00 01 'a' 00 01", E::malformed},
  {"PUBLISH of QoS 0 again",          v4, "38", "00 01 'a'", E::malformed},
  {"PUBLISH with id 0",               v4, "32", "00 01 'a' 00 00", E::protocol_error},
  {"PUBLISH without its id",          v4, "32", "00 01 'a' 00", E::malformed},
  {"PUBLISH, topic longer than all",  v4, "30", "00 05 'abcd'", E::malformed},
  {"PUBLISH, topic of 65535",         v4, "30", "ff ff 'abcd'", E::malformed},
  {"PUBLISH to nowhere",              v4, "30", "00 00 'x'", E::invalid_topic},
  {"PUBLISH to nowhere",              v5, "30", "00 00 00 'x'", E::protocol_error},
  {"PUBLISH to #",                    v4, "30", "00 03 'a/#'", E::invalid_topic},
  {"PUBLISH to +",                    v5, "30", "00 01 '+' 00", E::invalid_topic},
  {"PUBLISH to no text",              v4, "30", "00 02 c3 28", E::malformed},
  {"PUBLISH with U+0000",             v4, "30", "00 03 'a' 00 'b'", E::malformed},
  {"PUBLISH without property length", v5, "30", "00 01 'a'", E::malformed},
  {"PUBLISH, property length lies",   v5, "30", "00 01 'a' 03 01 01", E::malformed},
  {"PUBLISH, topic alias 0",          v5, "30", "00 01 'a' 03 23 00 00", E::topic_alias_invalid},
  {"PUBLISH, two aliases",            v5, "30", "00 01 'a' 06 23 00 01 23 00 01", E::property_repeated},
  {"PUBLISH, subscription id 0",      v5, "30", "00 01 'a' 02 0b 00", E::property_value},
  {"PUBLISH, payload format 2",       v5, "30", "00 01 'a' 02 01 02", E::property_value},
  {"PUBLISH, answer to a filter",     v5, "30", "00 01 'a' 04 08 00 01 '#'", E::property_value},
  {"PUBACK with id 0",                v4, "40", "00 00", E::protocol_error},
  {"PUBACK with a reason in 3.1.1",   v4, "40", "00 01 00", E::malformed},
  {"PUBACK of another's reason",      v5, "40", "00 01 92", E::protocol_error},
  {"PUBREL of another's reason",      v5, "62", "00 01 10", E::protocol_error},
  {"PUBREC, two reason strings",      v5, "50", "00 01 80 06 1f 00 00 1f 00 00", E::property_repeated},
  {"SUBSCRIBE with id 0",             v4, "82", "00 00 00 01 'a' 00", E::protocol_error},
  {"SUBSCRIBE to nothing",            v4, "82", "00 01", E::protocol_error},
  {"SUBSCRIBE to nothing",            v5, "82", "00 01 00", E::protocol_error},
  {"SUBSCRIBE of QoS 3",              v4, "82", "00 01 00 01 'a' 03", E::malformed},
  {"SUBSCRIBE of QoS 3",              v5, "82", "00 01 00 00 01 'a' 03", E::protocol_error},
  {"SUBSCRIBE with 5.0's options",    v4, "82", "00 01 00 01 'a' 04", E::malformed},
  {"SUBSCRIBE with reserved bits",    v5, "82", "00 01 00 00 01 'a' 40", E::malformed},
  {"SUBSCRIBE, retain handling 3",    v5, "82", "00 01 00 00 01 'a' 30", E::protocol_error},
  {"SUBSCRIBE, shared and no local",  v5, "82", "00 01 00 00 0a '$share/g/a' 04", E::protocol_error},
  {"SUBSCRIBE to a#",                 v4, "82", "00 01 00 02 'a#' 00", E::invalid_filter},
  {"SUBSCRIBE to the empty filter",   v4, "82", "00 01 00 00 00", E::invalid_filter},
  {"SUBSCRIBE, second filter bad",    v5, "82", "00 01 00 00 01 'a' 00 00 02 '++' 00", E::invalid_filter},
  {"SUBSCRIBE to half a share",       v5, "82", "00 01 00 00 08 '$share/g' 00", E::invalid_filter},
  {"SUBSCRIBE to no text",            v4, "82", "00 01 00 01 fe 00", E::malformed},
  {"SUBSCRIBE, two identifiers",      v5, "82", "00 01 04 0b 01 0b 02 00 01 'a' 00", E::property_repeated},
  {"SUBSCRIBE, identifier 0",         v5, "82", "00 01 02 0b 00 00 01 'a' 00", E::property_value},
  {"SUBACK of nothing",               v4, "90", "00 01", E::protocol_error},
  {"SUBACK of 3",                     v4, "90", "00 01 03", E::protocol_error},
  {"SUBACK of another's reason",      v5, "90", "00 01 00 10", E::protocol_error},
  {"UNSUBSCRIBE with id 0",           v4, "a2", "00 00 00 01 'a'", E::protocol_error},
  {"UNSUBSCRIBE from nothing",        v4, "a2", "00 01", E::protocol_error},
  {"UNSUBSCRIBE from a bad filter",   v4, "a2", "00 01 00 02 'a+'", E::invalid_filter},
  {"UNSUBACK of nothing in 5.0",      v5, "b0", "00 01 00", E::protocol_error},
  {"UNSUBACK with codes in 3.1.1",    v4, "b0", "00 01 00", E::malformed},
  {"PINGREQ with a body",             v4, "c0", "00", E::malformed},
  {"DISCONNECT with a body in 3.1.1", v4, "e0", "00", E::malformed},
  {"DISCONNECT of no reason",         v5, "e0", "05", E::protocol_error},
  {"AUTH in 3.1.1",                   v4, "f0", "", E::malformed},
  {"AUTH without method",             v5, "f0", "18 00", E::protocol_error},
  {"AUTH with a reason alone",        v5, "f0", "18", E::malformed},
  {"AUTH of another's reason",        v5, "f0", "87 04 15 00 01 'm'", E::protocol_error},
};
// clang-format on

}  // namespace

TEST_CASE("The decoder names what is wrong with a packet", "[mqtt]") {
  for (const Refusal& row : refusals) {
    CAPTURE(row.what, row.version);
    const Received wire{row.first_byte, row.rest};
    const DecodeError error = result_of(wire.frame, row.version);
    CHECK(name(error) == name(row.error));
  }
}

TEST_CASE("Each packet is refused by the decoders of all others", "[mqtt]") {
  const Received wire{"c0", ""};
  for (const Version version : {v3, v4, v5}) {
    CHECK(result_of(decode_connack, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_publish, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_ack, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_subscribe, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_suback, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_unsubscribe, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_unsuback, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_disconnect, wire.frame, version) == E::malformed);
    CHECK(result_of(decode_auth, wire.frame, version) == E::malformed);
  }
  CHECK(decode_pingresp(wire.frame) == E::malformed);
}

TEST_CASE("A length with needless zeros is for 3.x alone", "[mqtt][MQTT-1.5.5-1]") {
  const Received publish{from_hex("30 83 80 80 00 00 01 'a'")};
  CHECK(publish.frame.size == 8);
  CHECK(result_of(publish.frame, v4) == E::none);
  const Received publish5{from_hex("30 84 00 00 01 'a' 00")};
  CHECK(result_of(publish5.frame, v5) == E::malformed);
  const Received connect5{from_hex("10 8d 00 00 04 'MQTT' 05 02 00 00 00 00 00")};
  CHECK(result_of(connect5.frame, v5) == E::malformed);
  const Received ping{from_hex("c0 80 00")};
  CHECK(result_of(ping.frame, v4) == E::malformed);
}

TEST_CASE("A CONNECT that cannot be served still says how to refuse it", "[mqtt][MQTT-3.1.2-2]") {
  struct Row {
    std::string_view rest;
    Version answer;
  };
  const auto row = GENERATE(values<Row>({{"00 04 'MQTT' 06 02", v5},
                                         {"00 04 'MQTT' 03 02", v4},
                                         {"00 04 'MQTT' 85 02", v4},
                                         {"00 06 'MQIsdp' 05 02", v4},
                                         {"00 04 'MQTT' 05 03 00 00 00 00 00", v5},
                                         {"00 06 'MQIsdp' 03 1e 00 00 00 00", v3}}));
  Connect connect;
  const Received wire{"10", row.rest};
  CHECK(decode_connect(wire.frame, connect) != E::none);
  CHECK(connect.version == row.answer);
}

TEST_CASE("An empty client identifier is the broker's to judge", "[mqtt][MQTT-3.1.3-8]") {
  const Received wire{"10", "00 04 'MQTT' 04 00 00 3c 00 00"};
  Connect connect;
  CHECK(decode_connect(wire.frame, connect) == E::none);
  CHECK(connect.client_id.empty());
  CHECK_FALSE(connect.clean_start);
}

TEST_CASE("MQTT 3.1 ignores what later versions reserve", "[mqtt]") {
  Connect connect;
  const Received flags{"10", "00 06 'MQIsdp' 03 3b 00 00 00 01 'c'"};
  CHECK(decode_connect(flags.frame, connect) == E::none);
  CHECK_FALSE(connect.will);
  // Promised by the flags, not sent.
  const Received absent{"10", "00 06 'MQIsdp' 03 c2 00 00 00 01 'c' 00 01 'u'"};
  CHECK(decode_connect(absent.frame, connect) == E::none);
  CHECK(connect.username == "u");
  CHECK_FALSE(connect.password);
}

TEST_CASE("CONNECT of MQTT 5 fills every field", "[mqtt][MQTT-3.1]") {
  const Received wire{"10",
                      "00 04 'MQTT' 05 f4 00 0a 23 11 00 00 0e 10 21 00 14 27 00 01 00 00 22 00 0a "
                      "19 01 17 00 15 00 01 'm' 16 00 01 'd' 26 00 01 'k' 00 01 'v' 00 01 'c' "
                      "0f 18 00 00 00 05 02 00 00 00 3c 03 00 02 'ct' "
                      "00 03 'w/t' 00 02 'hi' 00 01 'u' 00 02 'pw'"};
  Connect connect;
  REQUIRE(decode_connect(wire.frame, connect) == E::none);
  CHECK(connect.version == v5);
  CHECK_FALSE(connect.clean_start);
  CHECK(connect.keep_alive == 10);
  CHECK(connect.session_expiry_interval == 3600);
  CHECK(connect.receive_maximum == 20);
  CHECK(connect.maximum_packet_size == 65'536);
  CHECK(connect.topic_alias_maximum == 10);
  CHECK(connect.request_response_information);
  CHECK_FALSE(connect.request_problem_information);
  CHECK(connect.authentication_method == "m");
  CHECK(connect.authentication_data == "d");
  CHECK(connect.user_properties.size() == 1);
  CHECK(connect.user_properties.begin()->bytes == "k");
  CHECK(connect.client_id == "c");
  REQUIRE(connect.will);
  CHECK(connect.will->qos == Qos::exactly_once);
  CHECK(connect.will->retain);
  CHECK(connect.will->topic == "w/t");
  CHECK(connect.will->payload == "hi");
  CHECK(connect.will->delay_interval == 5);
  CHECK(connect.will->expiry == 60u);
  CHECK_FALSE(connect.will->properties_clean);
  CHECK(connect.username == "u");
  CHECK(connect.password == "pw");
}

TEST_CASE("What a CONNECT does not say has its meaning", "[mqtt][MQTT-3.1.2]") {
  Connect connect;
  connect.receive_maximum = 7;  // Left from before: every decoder starts anew.
  const Received wire{"10", "00 04 'MQTT' 05 02 00 00 00 00 01 'c'"};
  REQUIRE(decode_connect(wire.frame, connect) == E::none);
  CHECK(connect.clean_start);
  CHECK(connect.session_expiry_interval == 0);
  CHECK(connect.receive_maximum == 65'535);
  CHECK(connect.maximum_packet_size == 0);
  CHECK(connect.topic_alias_maximum == 0);
  CHECK_FALSE(connect.request_response_information);
  CHECK(connect.request_problem_information);
  CHECK_FALSE(connect.will);
  CHECK_FALSE(connect.username);
  CHECK_FALSE(connect.authentication_method);
}

TEST_CASE("PUBLISH keeps what is forwarded apart from what is not", "[mqtt][MQTT-3.3]") {
  Publish publish;
  const Received plain{"3b", "00 03 'a/b' 00 0a 06 01 01 03 00 01 't' 'hi'"};
  REQUIRE(decode_publish(plain.frame, v5, publish) == E::none);
  CHECK(publish.dup);
  CHECK(publish.retain);
  CHECK(publish.qos == Qos::at_least_once);
  CHECK(publish.packet_id == 10);
  CHECK(publish.topic == "a/b");
  CHECK(publish.payload == "hi");
  CHECK(publish.properties_clean);
  CHECK(publish.properties == from_hex("01 01 03 00 01 't'"));
  CHECK_FALSE(publish.expiry);
  CHECK(publish.subscription_ids.empty());

  const Received mixed{"30", "00 01 'a' 10 02 00 00 00 09 01 01 23 00 05 0b 07 0b 80 01 'x'"};
  CHECK(decode_publish(mixed.frame, v5, publish) == E::property_unknown);
  const Received good{"30", "00 01 'a' 0f 02 00 00 00 09 01 01 23 00 05 0b 07 0b 80 01 'x'"};
  REQUIRE(decode_publish(good.frame, v5, publish) == E::none);
  CHECK_FALSE(publish.properties_clean);
  CHECK(publish.expiry == 9u);
  CHECK(publish.topic_alias == 5);
  CHECK(publish.packet_id == 0);
  CHECK(publish.payload == "x");
  std::vector<std::uint32_t> ids;
  for (const std::uint32_t id : publish.subscription_ids) ids.push_back(id);
  CHECK(ids == std::vector<std::uint32_t>{7, 128});
  Bytes forwarded;
  copy_properties_without(publish.properties, hop_properties, forwarded);
  CHECK(forwarded == from_hex("01 01"));
}

TEST_CASE("SUBSCRIBE hands out its entries without storing them", "[mqtt][MQTT-3.8]") {
  const Received wire{"82", "00 0a 02 0b 07 00 01 'a' 2d 00 0a '$share/g/b' 12"};
  Subscribe subscribe;
  REQUIRE(decode_subscribe(wire.frame, v5, subscribe) == E::none);
  CHECK(subscribe.packet_id == 10);
  CHECK(subscribe.subscription_id == 7);
  REQUIRE(subscribe.entries.size() == 2);
  auto entry = subscribe.entries.begin();
  CHECK(entry->filter == "a");
  CHECK(entry->qos == Qos::at_least_once);
  CHECK(entry->no_local);
  CHECK(entry->retain_as_published);
  CHECK(entry->retain_handling == 2);
  ++entry;
  CHECK(entry->filter == "$share/g/b");
  CHECK(entry->qos == Qos::exactly_once);
  CHECK_FALSE(entry->no_local);
  CHECK_FALSE(entry->retain_as_published);
  CHECK(entry->retain_handling == 1);
  ++entry;
  CHECK(entry == subscribe.entries.end());
}

TEST_CASE("Answers and endings carry their reasons", "[mqtt]") {
  Ack ack;
  const Received pubrec{"50", "12 34 97 07 1f 00 04 'full'"};
  REQUIRE(decode_ack(pubrec.frame, v5, ack) == E::none);
  CHECK(ack.packet_id == 0x1234);
  CHECK(ack.reason == ReasonCode::quota_exceeded);
  CHECK(ack.reason_string == "full");

  Suback suback;
  const Received answer{"90", "00 01 00 02 87"};
  REQUIRE(decode_suback(answer.frame, v5, suback) == E::none);
  std::vector<ReasonCode> codes;
  for (const ReasonCode code : suback.codes) codes.push_back(code);
  CHECK(codes == std::vector{ReasonCode::granted_qos_2, ReasonCode::not_authorized});

  Connack connack;
  const Received refused{"20", "00 04"};
  REQUIRE(decode_connack(refused.frame, v4, connack) == E::none);
  CHECK(connack.reason == ReasonCode::bad_user_name_or_password);

  Disconnect disconnect;
  const Received bye{"e0", "04 05 11 00 00 00 09"};
  REQUIRE(decode_disconnect(bye.frame, v5, disconnect) == E::none);
  CHECK(disconnect.reason == ReasonCode::disconnect_with_will);
  CHECK(disconnect.session_expiry_interval == 9u);

  Auth auth;
  const Received step{"f0", "18 08 15 00 01 'm' 16 00 01 'd'"};
  REQUIRE(decode_auth(step.frame, v5, auth) == E::none);
  CHECK(auth.reason == ReasonCode::continue_authentication);
  CHECK(auth.method == "m");
  CHECK(auth.data == "d");
}

}  // namespace naru::mqtt

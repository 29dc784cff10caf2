// test/broker/mqtt/encoder_test.cpp
//
// Goal: the encoder appends, measures right, and leaves out or translates what a version cannot
// say. Method: bytes in hexadecimal; the whole round trip is golden_test's.

#include <catch2/catch.hpp>

#include <array>
#include <string_view>

#include "broker/mqtt/decoder.hpp"
#include "broker/mqtt/encoder.hpp"
#include "test/support/exact_buffer.hpp"
#include "test/support/hex.hpp"

namespace naru::mqtt {
namespace {

using test::from_hex, test::to_hex;

template <class Packet>
std::string encoded(const Packet& packet, Version version) {
  Bytes out;
  encode(packet, version, out);
  return to_hex(out);
}

std::string hex(std::string_view text) { return to_hex(from_hex(text)); }

}  // namespace

TEST_CASE("encode_publish appends exactly publish_size bytes", "[mqtt][MQTT-3.3]") {
  const auto version = GENERATE(Version::v3_1, Version::v3_1_1, Version::v5);
  const auto qos = GENERATE(Qos::at_most_once, Qos::exactly_once);
  // Around the places where the remaining length needs another byte.
  const std::size_t payload_size = GENERATE(0u, 100u, 120u, 121u, 122u, 123u, 124u, 125u, 126u,
                                            16'370u, 16'380u, 16'384u, 2'097'150u, 2'097'152u);
  const std::array<std::uint32_t, 4> ids{1, 127, 128, 268'435'455};
  PublishHead head{.qos = qos, .packet_id = 7, .expiry = 9};
  head.subscription_ids = ids;
  const Bytes payload(payload_size, 'p');
  const Bytes properties = from_hex("01 01");

  Bytes out = "before";
  encode_publish(out, version, head, "t", properties, payload);
  CHECK(out.size() == 6 + publish_size(version, head, "t", properties, payload));
  CHECK(out.starts_with("before"));

  const test::ExactBuffer exact{BytesView{out}.substr(6)};
  Frame frame;
  REQUIRE(next_frame(exact.view(), 0, frame) == Framing::complete);
  CHECK(frame.size == exact.view().size());
  Publish publish;
  REQUIRE(decode_publish(frame, version, publish) == DecodeError::none);
  CHECK(publish.topic == "t");
  CHECK(publish.payload == payload);
  CHECK(publish.packet_id == (qos == Qos::at_most_once ? 0 : 7));
  CHECK(publish.expiry.has_value() == (version == Version::v5));
  CHECK(publish.subscription_ids.size() == (version == Version::v5 ? 4u : 0u));
}

TEST_CASE("publish_size also measures what cannot be sent", "[mqtt]") {
  // Only the length is looked at.
  const BytesView huge{"", remaining_length_limit - 3};
  CHECK(publish_size(Version::v3_1_1, {}, "t", {}, huge) == packet_size_limit);
  const BytesView more{"", remaining_length_limit - 2};
  CHECK(publish_size(Version::v3_1_1, {}, "t", {}, more) == packet_size_limit + 1);
}

TEST_CASE("Acknowledgements are as short as they can be", "[mqtt][MQTT-3.4.2]") {
  struct Row {
    Version version;
    PacketType type;
    ReasonCode reason;
    std::string_view bytes;
  };
  const auto row = GENERATE(values<Row>({
      {Version::v3_1, PacketType::puback, ReasonCode::success, "40 02 12 34"},
      {Version::v3_1_1, PacketType::pubrec, ReasonCode::quota_exceeded, "50 02 12 34"},
      {Version::v3_1_1, PacketType::pubrel, ReasonCode::success, "62 02 12 34"},
      {Version::v5, PacketType::pubcomp, ReasonCode::success, "70 02 12 34"},
      {Version::v5, PacketType::puback, ReasonCode::no_matching_subscribers, "40 03 12 34 10"},
      {Version::v5, PacketType::pubrel, ReasonCode::packet_identifier_not_found, "62 03 12 34 92"},
  }));
  Bytes out;
  encode_ack(out, row.version, row.type, 0x1234, row.reason);
  CHECK(to_hex(out) == row.bytes);
}

TEST_CASE("3.x gets reasons in its own words", "[mqtt]") {
  Connack refused{.reason = ReasonCode::not_authorized};
  refused.reason_string = "no";
  CHECK(encoded(refused, Version::v3_1) == "20 02 00 05");
  CHECK(encoded(refused, Version::v3_1_1) == "20 02 00 05");
  CHECK(encoded(refused, Version::v5) == hex("20 08 00 87 05 1f 00 02 'no'"));
  const Connack resumed{.session_present = true};
  CHECK(encoded(resumed, Version::v3_1) == "20 02 00 00");
  CHECK(encoded(resumed, Version::v3_1_1) == "20 02 01 00");

  const Bytes codes = from_hex("01 87 a2");
  const Suback suback{7, ReasonCodes{codes}};
  CHECK(encoded(suback, Version::v3_1_1) == "90 05 00 07 01 80 80");
  CHECK(encoded(suback, Version::v5) == "90 06 00 07 00 01 87 a2");
  const Bytes removed = from_hex("00 11");
  CHECK(encoded(Unsuback{7, ReasonCodes{removed}}, Version::v3_1_1) == "b0 02 00 07");
  CHECK(encoded(Unsuback{7, ReasonCodes{removed}}, Version::v5) == "b0 05 00 07 00 00 11");
  const Disconnect taken_over{.reason = ReasonCode::session_taken_over};
  CHECK(encoded(taken_over, Version::v3_1_1) == "e0 00");
  CHECK(encoded(taken_over, Version::v5) == "e0 01 8e");
}

TEST_CASE("SUBSCRIBE in 3.x asks for QoS alone", "[mqtt]") {
  Bytes entries;
  append_entry(entries, {.filter = "a",
                         .qos = Qos::exactly_once,
                         .no_local = true,
                         .retain_as_published = true,
                         .retain_handling = 2});
  append_entry(entries, {.filter = "b/#"});
  const Subscribe subscribe{
      .packet_id = 1, .subscription_id = 9, .entries = SubscribeEntries{entries}};
  CHECK(encoded(subscribe, Version::v3_1_1) == hex("82 0c 00 01 00 01 'a' 02 00 03 'b/#' 00"));
  CHECK(encoded(subscribe, Version::v5) == hex("82 0f 00 01 02 0b 09 00 01 'a' 2e 00 03 'b/#' 00"));

  Bytes filters;
  append_filter(filters, "a");
  CHECK(encoded(Unsubscribe{1, Filters{filters}}, Version::v3_1) == hex("a2 05 00 01 00 01 'a'"));
}

TEST_CASE("CONNECT leaves out what its version does not know", "[mqtt]") {
  Connect connect{.version = Version::v3_1, .keep_alive = 60, .client_id = "c"};
  connect.session_expiry_interval = 10;
  Will will{.topic = "w", .payload = "x"};
  will.expiry = 5;
  connect.will = will;
  Bytes out;
  encode(connect, out);
  CHECK(to_hex(out) == hex("10 15 00 06 'MQIsdp' 03 06 00 3c 00 01 'c' 00 01 'w' 00 01 'x'"));
  out.clear();
  connect.version = Version::v5;
  encode(connect, out);
  CHECK(to_hex(out) == hex("10 1f 00 04 'MQTT' 05 06 00 3c 05 11 00 00 00 0a 00 01 'c' "
                           "05 02 00 00 00 05 00 01 'w' 00 01 'x'"));
}

}  // namespace naru::mqtt

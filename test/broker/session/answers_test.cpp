// test/broker/session/answers_test.cpp
//
// Goal: an answer that refuses says why to who wants to hear it and takes packets so large, and one
// that does not is as small as ever. Method: single answers, read back.

#include <catch2/catch.hpp>

#include "broker/mqtt/decoder.hpp"
#include "broker/session/answers.hpp"

namespace naru::broker {
namespace {

using mqtt::PacketType;
using mqtt::ReasonCode;

std::unique_ptr<Connection> client(std::uint32_t packet_size_max = 0, bool wants_reasons = true) {
  auto c = std::make_unique<Connection>();
  c->version = mqtt::Version::v5;
  c->wants_reasons = wants_reasons;
  c->packet_size_max = packet_size_max;
  return c;
}

// The one packet written, as that type has it. It views into the connection's output.
template <class Packet, class Decode>
Packet read(const Connection& c, Decode&& decode) {
  mqtt::Frame frame;
  REQUIRE(mqtt::next_frame(c.output, 0, frame) == mqtt::Framing::complete);
  CHECK(frame.size == c.output.size());
  Packet packet;
  REQUIRE(decode(frame, c.version, packet) == mqtt::DecodeError::none);
  return packet;
}

}  // namespace

TEST_CASE("An acknowledgement that refuses says why where it fits",
          "[session][MQTT-3.4.2-2][MQTT-3.5.2-2][MQTT-3.6.2-2][MQTT-3.7.2-2]") {
  const PacketType type =
      GENERATE(PacketType::puback, PacketType::pubrec, PacketType::pubrel, PacketType::pubcomp);
  const bool answers_publish = type == PacketType::puback || type == PacketType::pubrec;
  const ReasonCode reason =
      answers_publish ? ReasonCode::not_authorized : ReasonCode::packet_identifier_not_found;
  const BytesView text = answers_publish ? "not authorized" : "no message has this packet id";
  const std::size_t whole = 2 + 2 + 1 + 1 + 3 + text.size();

  const std::uint32_t packet_size_max = GENERATE_COPY(0u, static_cast<std::uint32_t>(whole));
  auto c = client(packet_size_max);
  write_ack(*c, {7, type, reason});
  CHECK(c->output.size() == whole);
  const auto told = read<mqtt::Ack>(*c, mqtt::decode_ack);
  CHECK(told.packet_id == 7);
  CHECK(told.reason == reason);
  CHECK(told.reason_string == text);

  c = client(static_cast<std::uint32_t>(whole) - 1);
  write_ack(*c, {7, type, reason});
  CHECK(c->output.size() == 5);

  c = client(0, false);  // Request Problem Information is 0.
  write_ack(*c, {7, type, reason});
  CHECK(c->output.size() == 5);
}

TEST_CASE("An acknowledgement tells what is known beyond its code", "[session]") {
  const auto c = client();
  write_ack(*c, {7, PacketType::puback, ReasonCode::quota_exceeded, true, AckText::not_stored});
  CHECK(read<mqtt::Ack>(*c, mqtt::decode_ack).reason_string == not_stored);
}

TEST_CASE("An acknowledgement that refuses nothing is as short as ever", "[session]") {
  const auto c = client();
  write_ack(*c, {7, PacketType::puback, ReasonCode::success, true, AckText::not_stored});
  CHECK(c->output == Bytes{"\x40\x02\0\x07", 4});
  c->output.clear();
  write_ack(*c, {7, PacketType::puback, ReasonCode::no_matching_subscribers});
  CHECK(c->output == Bytes{"\x40\x03\0\x07\x10", 5});
  c->output.clear();
  write_suback(*c, 7, BytesView{"\0\1", 2});
  CHECK(c->output == Bytes{"\x90\x05\0\x07\0\0\1", 7});
}

TEST_CASE("SUBACK and UNSUBACK say why their first refused filter was refused",
          "[session][MQTT-3.9.2-1][MQTT-3.11.2-1]") {
  auto c = client();
  write_suback(*c, 7, "\1\x87\x97");
  const auto suback = read<mqtt::Suback>(*c, mqtt::decode_suback);
  CHECK(suback.reason_string == "not authorized");
  CHECK(suback.codes.raw() == "\1\x87\x97");
  c->output.clear();
  write_unsuback(*c, 7, "\x80\x80");
  CHECK(read<mqtt::Unsuback>(*c, mqtt::decode_unsuback).reason_string == not_stored);

  c = client(12);
  write_suback(*c, 7, "\1\x87\x97");
  CHECK(read<mqtt::Suback>(*c, mqtt::decode_suback).reason_string.empty());
  c->output.clear();
  write_unsuback(*c, 7, "\x80\x80");
  CHECK(read<mqtt::Unsuback>(*c, mqtt::decode_unsuback).reason_string.empty());
}

TEST_CASE("CONNACK and DISCONNECT say why to everybody", "[session]") {
  auto c = client(0, false);
  write_disconnect(*c, ReasonCode::session_taken_over, {});
  CHECK(read<mqtt::Disconnect>(*c, mqtt::decode_disconnect).reason_string ==
        "another connection uses the client id");
  c->output.clear();
  write_disconnect(*c, ReasonCode::administrative_action, "new certificate");
  CHECK(read<mqtt::Disconnect>(*c, mqtt::decode_disconnect).reason_string == "new certificate");
  c->output.clear();
  write_connack_refusal(*c, ReasonCode::bad_user_name_or_password, {});
  CHECK(read<mqtt::Connack>(*c, mqtt::decode_connack).reason_string == "bad user name or password");

  c = client(20);
  write_connack_refusal(*c, ReasonCode::bad_user_name_or_password, {});
  CHECK(c->output.size() == 5);
}

}  // namespace naru::broker

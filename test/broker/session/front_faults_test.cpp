// test/broker/session/front_faults_test.cpp
//
// Goal: a client that breaks the protocol hears what was wrong, is counted once, and has a line in
// the log; so has one that is silent too long. Method: dialogues in MQTT packets.

#include "test/broker/session/front_dialogue.hpp"

namespace naru::broker {
namespace {

using namespace dialogue;

std::unique_ptr<Shard> connected(std::uint16_t keep_alive = 0) {
  auto shard = std::make_unique<Shard>();
  shard->gate.admission = {Verdict::admitted};
  mqtt::Connect packet;
  packet.client_id = "car1";
  packet.keep_alive = keep_alive;
  Bytes bytes;
  mqtt::encode(packet, bytes);
  shard->hear(bytes);
  CHECK(shard->said_one(PacketType::connack).reason == ReasonCode::success);
  return shard;
}

// The first bytes of a CONNECT of a megabyte.
Bytes large_connect(mqtt::Version version) {
  Bytes bytes("\x10\x80\x80\x40\0\4MQTT", 10);
  bytes.push_back(static_cast<char>(version));
  return bytes.append("\2\0\x3c", 3);
}

const Denial& told_one(Shard& shard) {
  const auto& denials = shard.core.output().denials;
  REQUIRE(denials.size() == 1);
  return denials[0];
}

}  // namespace

TEST_CASE("A broken packet is told to its client, the log and the metric", "[session]") {
  struct Row {
    Bytes packet;
    ReasonCode reason;
    const char* why;
  };
  const auto row = GENERATE(values<Row>({
      {Bytes{"\x30\x03\0\1a", 5}, ReasonCode::malformed_packet,
       "malformed_packet in publish: a length, a reserved bit or UTF-8 is wrong"},
      {Bytes{"\x30\x06\0\1a\2\x23\0", 8}, ReasonCode::malformed_packet,
       "malformed_packet in publish: a length, a reserved bit or UTF-8 is wrong"},
      {Bytes{"\x30\x07\0\1a\3\x23\0\x63", 9}, ReasonCode::topic_alias_invalid,
       "topic_alias_invalid in publish: its topic alias is larger than max_topic_alias allows"},
      {Bytes{"\x82\x0a\0\1\3\x21\0\5\0\1a\0", 12}, ReasonCode::malformed_packet,
       "malformed_packet in subscribe: a property does not belong into this packet"},
      {Bytes{"\x20\3\0\0\0", 5}, ReasonCode::protocol_error,
       "protocol_error in connack: MQTT does not allow this here"},
      {Bytes{"\x30\xff\xff\xff\xff\1", 6}, ReasonCode::malformed_packet,
       "malformed_packet in publish: its type or its length is wrong"},
      {Bytes{"\x30\xff\xff\xff\x7f", 5}, ReasonCode::packet_too_large,
       "packet_too_large in publish: it is larger than max_packet_size"},
  }));
  CAPTURE(row.why);
  const auto shard = connected();
  shard->hear(row.packet);
  CHECK(shard->said_one(PacketType::disconnect).reason == row.reason);
  CHECK(shard->is_closing());
  CHECK(shard->core.counters().protocol_errors == 1);
  const Denial& told = told_one(*shard);
  CHECK(told.kind == Denial::Kind::protocol);
  CHECK(told.client_id == "car1");
  CHECK(told.address == "10.0.0.1:5");
  CHECK(told.why == row.why);
}

TEST_CASE("The log has a line for who is silent too long, which is no protocol error",
          "[session]") {
  const auto shard = connected(10);
  shard->now = shard->now + Seconds{15};
  shard->turn([] {});
  CHECK(shard->said_one(PacketType::disconnect).reason == ReasonCode::keep_alive_timeout);
  CHECK(told_one(*shard).kind == Denial::Kind::silent);
  CHECK(told_one(*shard).client_id == "car1");
  CHECK(shard->core.counters().protocol_errors == 0);
}

TEST_CASE("Who leaves in order, or is ended by an operator, has no line in the log", "[session]") {
  const auto shard = connected();
  SECTION("DISCONNECT") { shard->hear(Bytes{"\xe0\0", 2}); }
  SECTION("kick") {
    shard->turn([&] { shard->core.front().kick(id, {}); });
    CHECK(shard->said_one(PacketType::disconnect).reason == ReasonCode::administrative_action);
  }
  CHECK(shard->is_closing());
  CHECK(shard->core.output().denials.empty());
}

TEST_CASE("A CONNECT that is too large is answered where the client understands it", "[session]") {
  Shard shard;
  SECTION("in MQTT 5") {
    shard.hear(large_connect(mqtt::Version::v5));
    CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::packet_too_large);
  }
  SECTION("in MQTT 5, with the whole limit behind it") {
    shard.hear(large_connect(mqtt::Version::v5) + Bytes(300'000, 'x'));
    CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::packet_too_large);
  }
  SECTION("not in MQTT 3.1.1") {
    shard.hear(large_connect(mqtt::Version::v3_1_1));
    CHECK(shard.said().empty());
  }
  SECTION("not before its level has come") {
    shard.hear(large_connect(mqtt::Version::v5).substr(0, 10));
    CHECK(shard.said().empty());
  }
  SECTION("not in a version nobody knows") {
    shard.hear(large_connect(static_cast<mqtt::Version>(6)));
    CHECK(shard.said().empty());
  }
  CHECK(shard.is_closing());
  CHECK(shard.core.counters().protocol_errors == 1);
  CHECK(told_one(shard).address == "10.0.0.1:5");
  CHECK(told_one(shard).why ==
        "packet_too_large in connect: it is larger than max_packet_size, or than 256 KB");
}

TEST_CASE("A first packet that is no CONNECT has a line in the log", "[session]") {
  Shard shard;
  shard.hear(ping());
  CHECK(shard.said().empty());
  CHECK(shard.is_closing());
  CHECK(shard.core.counters().protocol_errors == 1);
  CHECK(told_one(shard).why == "protocol_error in pingreq: the first packet has to be CONNECT");
}

TEST_CASE("A broken CONNECT has a line in the log", "[session]") {
  Shard shard;
  Bytes bytes = connect_packet();
  bytes.back() = '\0';  // In the client id.
  shard.hear(bytes);
  CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::malformed_packet);
  CHECK(told_one(shard).why ==
        "malformed_packet in connect: a length, a reserved bit or UTF-8 is wrong");
}

}  // namespace naru::broker

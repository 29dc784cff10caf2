// test/support/model_client_test.cpp
//
// Goal: the model client obeys the specification, so that what it accuses a broker of is true.
// Method: play the broker by hand, byte for byte or packet by packet, over one or two connections.

#include "test/support/model_client.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "broker/mqtt/encoder.hpp"
#include "test/support/hex.hpp"

namespace naru::test {
namespace {

using mqtt::PacketType, mqtt::Qos, mqtt::ReasonCode, mqtt::Version;

// A broker's end of one connection, played by the test.
class Table {
 public:
  explicit Table(ModelOptions options) : client(options, history), version(options.version) {}

  void open(bool present) {
    client.on_open(now);
    CHECK(types_sent() == std::vector<PacketType>{PacketType::connect});
    mqtt::Connack connack;
    connack.session_present = present;
    Bytes bytes;
    encode(connack, version, bytes);
    client.on_bytes(bytes, now);
  }
  void lose() { client.on_closed(ModelClient::ClosedBy::broken, now); }
  void ack(PacketType type, mqtt::PacketId id) {
    Bytes bytes;
    encode_ack(bytes, version, type, id, ReasonCode::success);
    client.on_bytes(bytes, now);
  }
  void deliver(MessageId id, Qos qos, mqtt::PacketId packet_id, bool dup = false) {
    mqtt::PublishHead head;
    head.qos = qos;
    head.packet_id = packet_id;
    head.dup = dup;
    Bytes bytes;
    encode_publish(bytes, version, head, "t", {}, payload_of(id, "t", 0));
    client.on_bytes(bytes, now);
  }
  // Takes the output and says what it holds.
  std::vector<mqtt::Publish> publishes_sent() {
    output = client.take_output();
    std::vector<mqtt::Publish> found;
    each_frame([&](const mqtt::Frame& frame) {
      mqtt::Publish publish;
      if (type_of(frame) != PacketType::publish) return;
      REQUIRE(decode_publish(frame, version, publish) == mqtt::DecodeError::none);
      found.push_back(publish);
    });
    return found;
  }
  std::vector<PacketType> types_sent() {
    output = client.take_output();
    std::vector<PacketType> found;
    each_frame([&](const mqtt::Frame& frame) { found.push_back(type_of(frame)); });
    return found;
  }
  std::size_t count(Event event, unsigned flags = 0) const {
    std::size_t found = 0;
    for (const Record& record : history.records())
      if (record.event == event && (flags == 0 || record.has(flags))) ++found;
    return found;
  }

  History history;
  Instant now{};
  ModelClient client;
  Version version;
  Bytes output;

 private:
  template <class Visitor>
  void each_frame(Visitor&& visit) {
    BytesView rest = output;
    mqtt::Frame frame;
    while (next_frame(rest, 0, frame) == mqtt::Framing::complete) {
      visit(frame);
      rest.remove_prefix(frame.size);
    }
    CHECK(rest.empty());
  }
};

ModelOptions persistent(Version version) {
  ModelOptions options;
  options.number = 1;
  options.client_id = "c";
  options.version = version;
  options.session_expiry = version == Version::v5 ? 3600 : 0;
  return options;
}

ModelPublish message(Qos qos) {
  ModelPublish publish;
  publish.topic = "t";
  publish.qos = qos;
  return publish;
}

}  // namespace

TEST_CASE("The CONNECT of 3.1.1 is what the specification shows", "[model_client][MQTT-3.1]") {
  Table table{persistent(Version::v3_1_1)};
  table.client.on_open(table.now);
  CHECK(to_hex(table.client.take_output()) ==
        to_hex(from_hex("10 0d 0004 'MQTT' 04 00 0000 0001 'c'")));
}

TEST_CASE("What is unacknowledged is sent again with DUP, in order", "[model_client][MQTT-4.4]") {
  Table table{persistent(GENERATE(Version::v3_1_1, Version::v5))};
  table.open(false);
  for (int i = 0; i < 3; ++i) table.client.publish(message(Qos::at_least_once), table.now);
  CHECK_FALSE(table.publishes_sent().front().dup);
  table.ack(PacketType::puback, 2);
  table.lose();
  table.open(true);
  const auto again = table.publishes_sent();
  REQUIRE(again.size() == 2);
  CHECK(again[0].packet_id == 1);
  CHECK(again[1].packet_id == 3);
  CHECK(again[0].dup);
  CHECK(again[1].dup);
  CHECK(table.count(Event::publish_sent, flag::dup) == 2);
}

TEST_CASE("After PUBREC only PUBREL is sent again", "[model_client][MQTT-4.3.3]") {
  Table table{persistent(Version::v5)};
  table.open(false);
  table.client.publish(message(Qos::exactly_once), table.now);
  table.ack(PacketType::pubrec, 1);
  CHECK(table.types_sent() == std::vector{PacketType::publish, PacketType::pubrel});
  table.lose();
  table.open(true);
  CHECK(table.types_sent() == std::vector{PacketType::pubrel});
  table.ack(PacketType::pubcomp, 1);
  CHECK(table.client.unacknowledged() == 0);
  CHECK(table.count(Event::pubcomp) == 1);
}

TEST_CASE("A broker that knows no session gets nothing again", "[model_client][MQTT-3.2.2]") {
  Table table{persistent(Version::v5)};
  table.open(false);
  table.client.publish(message(Qos::exactly_once), table.now);
  table.lose();
  table.open(false);
  CHECK_FALSE(table.client.has_output());
  CHECK(table.client.unacknowledged() == 0);
}

TEST_CASE("A QoS 2 message repeated under its id is kept from the application",
          "[model_client][MQTT-4.3.3]") {
  Table table{persistent(Version::v5)};
  table.open(false);
  table.deliver({2, 1}, Qos::exactly_once, 5);
  CHECK(table.types_sent() == std::vector{PacketType::pubrec});
  table.lose();
  table.open(true);
  table.deliver({2, 1}, Qos::exactly_once, 5, true);
  CHECK(table.count(Event::received, flag::again) == 1);
  table.ack(PacketType::pubrel, 5);
  CHECK(table.types_sent() == std::vector{PacketType::pubrec, PacketType::pubcomp});
  table.deliver({2, 2}, Qos::exactly_once, 5);  // The id is free again.
  CHECK(table.count(Event::received, flag::again) == 1);
}

TEST_CASE("A slow client acknowledges when its time has come, in order", "[model_client]") {
  ModelOptions options = persistent(Version::v5);
  options.ack_delay = Millis{10};
  Table table{options};
  table.open(false);
  table.deliver({2, 1}, Qos::at_least_once, 1);
  table.deliver({2, 2}, Qos::at_least_once, 2);
  CHECK_FALSE(table.client.has_output());
  CHECK(table.client.next_deadline() == table.now + Millis{10});
  table.now = table.now + Millis{10};
  table.client.on_time(table.now);
  CHECK(table.types_sent() == std::vector{PacketType::puback, PacketType::puback});
  CHECK(table.client.next_deadline() == Instant::never());
}

TEST_CASE("The window holds publishes back until there is room", "[model_client][MQTT-4.9]") {
  ModelOptions options = persistent(Version::v5);
  options.window = 2;
  Table table{options};
  table.open(false);
  CHECK(table.client.publish(message(Qos::at_least_once), table.now));
  CHECK(table.client.publish(message(Qos::at_least_once), table.now));
  CHECK_FALSE(table.client.publish(message(Qos::at_least_once), table.now));
  table.ack(PacketType::puback, 1);
  CHECK(table.client.publish(message(Qos::at_least_once), table.now));
}

TEST_CASE("Bytes may come one at a time", "[model_client]") {
  Table table{persistent(Version::v5)};
  table.client.on_open(table.now);
  for (const char byte : from_hex("20 03 00 00 00")) table.client.on_bytes({&byte, 1}, table.now);
  CHECK(table.client.state() == ModelClient::State::online);
}

TEST_CASE("A broker's offence is written down and ends the connection", "[model_client]") {
  Table table{persistent(Version::v3_1_1)};
  table.open(false);
  SECTION("PUBACK of nothing") { table.ack(PacketType::puback, 9); }
  SECTION("a second CONNACK") { table.client.on_bytes(from_hex("20 02 00 00"), table.now); }
  SECTION("SUBACK of nothing") { table.client.on_bytes(from_hex("90 03 0001 00"), table.now); }
  SECTION("a client's packet") { table.client.on_bytes(from_hex("c0 00"), table.now); }
  SECTION("a length without end") { table.client.on_bytes(from_hex("30 ff ff ff ff"), table.now); }
  SECTION("PUBCOMP before PUBREC") {
    table.client.publish(message(Qos::exactly_once), table.now);
    table.ack(PacketType::pubcomp, 1);
  }
  CHECK(table.count(Event::protocol_error) == 1);
  CHECK(table.client.wants_close());
}

TEST_CASE("A will is due when its client vanishes and cancelled by an answered goodbye",
          "[model_client][MQTT-3.1.2]") {
  ModelOptions options = persistent(Version::v5);
  options.will.emplace();
  options.will->topic = "w";
  Table table{options};
  table.open(false);
  CHECK(table.count(Event::will_registered) == 1);
  SECTION("vanished") {
    table.client.vanish(table.now);
    CHECK(table.count(Event::will_due) == 1);
  }
  SECTION("goodbye, closed by the broker") {
    table.client.disconnect(table.now);
    table.client.on_closed(ModelClient::ClosedBy::peer, table.now);
    CHECK(table.count(Event::will_cancelled) == 1);
  }
  SECTION("goodbye that nobody may have read") {
    table.client.disconnect(table.now);
    table.lose();
    table.client.retire(table.now);
    CHECK(table.count(Event::will_cancelled) + table.count(Event::will_due) == 0);
  }
  SECTION("broken and never back") {
    table.lose();
    CHECK(table.count(Event::will_due) == 0);
    table.client.retire(table.now);
    CHECK(table.count(Event::will_due) == 1);
  }
}

TEST_CASE("A subscription is recorded with what was granted", "[model_client][MQTT-3.9]") {
  Table table{persistent(Version::v3_1_1)};
  table.open(false);
  table.client.subscribe({"a/+", Qos::exactly_once, false}, table.now);
  CHECK_FALSE(table.client.is_idle());
  table.client.on_bytes(from_hex("90 03 0001 01"), table.now);
  CHECK(table.client.is_idle());
  CHECK(table.history.records().back().event == Event::suback);
  CHECK(table.history.records().back().reason == 1);
}

TEST_CASE("A session close to its expiry is nobody's certainty", "[model_client]") {
  Table table{persistent(Version::v5)};
  table.open(false);
  table.lose();
  const int away = GENERATE(10, 3599, 4000);
  table.now = table.now + Seconds{away};
  table.client.on_open(table.now);
  CHECK(table.count(Event::session_unsure) == (away == 10 ? 0 : 1));
}

TEST_CASE("What a session that may have expired held hides no message of another one",
          "[model_client]") {
  Table table{persistent(Version::v5)};
  table.open(false);
  table.deliver({2, 1}, Qos::exactly_once, 5);
  table.client.on_time(table.now);
  table.lose();
  table.now = table.now + Seconds{4000};
  table.client.on_open(table.now);  // Expires, and the CONNACK of the next session is lost.
  table.lose();
  table.open(true);
  CHECK(table.client.is_idle());
  SECTION("it lived on") {
    table.deliver({2, 1}, Qos::exactly_once, 5, true);
    CHECK(table.count(Event::received, flag::again) == 1);
  }
  SECTION("it is another one") {
    table.deliver({2, 2}, Qos::exactly_once, 5);
    CHECK(table.count(Event::received, flag::again) == 0);
  }
  CHECK_FALSE(table.client.is_idle());
  table.client.on_time(table.now);
  table.ack(PacketType::pubrel, 5);
  table.client.on_time(table.now);
  CHECK(table.client.is_idle());
  table.deliver({2, 1}, Qos::exactly_once, 5);  // The id is free again.
  CHECK_FALSE(table.client.is_idle());
}

TEST_CASE("Keep-alive is kept by a ping", "[model_client][MQTT-3.1.2]") {
  ModelOptions options = persistent(Version::v5);
  options.keep_alive = 10;
  Table table{options};
  table.open(false);
  CHECK(table.client.next_deadline() == table.now + Seconds{10});
  table.now = table.now + Seconds{10};
  table.client.on_time(table.now);
  CHECK(table.types_sent() == std::vector{PacketType::pingreq});
}

}  // namespace naru::test

// test/tools/mqtt_client_core_test.cpp
//
// Goal: the client keeps MQTT's promises: nothing unacknowledged is forgotten, nothing comes twice
// that must not, the broker's window holds. Method: a dialogue in packets, with a broker that is
// written down step by step; both versions where they differ.

#include <catch2/catch.hpp>

#include <vector>

#include "broker/mqtt/encoder.hpp"
#include "tools/naru/mqtt_client_core.hpp"

namespace naru::tools {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using Kind = ClientEvent::Kind;

ClientSettings settings_of(Version version, std::size_t window = 64) {
  ClientSettings settings;
  settings.client_id = "car-0001";
  settings.version = version;
  settings.clean_start = false;
  settings.window = window;
  return settings;
}

// The other end: says what it is told to, and reads what the client wrote.
class Broker {
 public:
  explicit Broker(MqttClientCore& client) : client_(client) {}

  struct Sent {
    PacketType type;
    mqtt::PacketId id;
    bool dup;
    Bytes payload;
    bool operator==(const Sent&) const = default;
  };

  std::vector<Sent> take() {
    std::vector<Sent> all;
    Bytes rest = std::exchange(client_.output(), {});
    mqtt::Frame frame;
    for (BytesView at = rest; !at.empty(); at.remove_prefix(frame.size)) {
      REQUIRE(mqtt::next_frame(at, 0, frame) == mqtt::Framing::complete);
      all.push_back(read(frame));
    }
    return all;
  }

  std::vector<ClientEvent> say(const Bytes& bytes) {
    std::vector<ClientEvent> events;
    client_.on_bytes(bytes, now);
    ClientEvent event;
    while (client_.next_event(event)) events.push_back(event);
    return events;
  }
  std::vector<ClientEvent> say_connack(bool session_present, std::uint16_t receive_maximum = 100) {
    Bytes out;
    mqtt::Connack connack;
    connack.session_present = session_present;
    connack.receive_maximum = receive_maximum;
    mqtt::encode(connack, version(), out);
    return say(out);
  }
  std::vector<ClientEvent> say_ack(PacketType type, mqtt::PacketId id,
                                   ReasonCode reason = ReasonCode::success) {
    Bytes out;
    mqtt::encode_ack(out, version(), type, id, reason);
    return say(out);
  }
  Bytes publish(Qos qos, mqtt::PacketId id, BytesView payload) const {
    Bytes out;
    const mqtt::PublishHead head{.qos = qos, .packet_id = id, .subscription_ids = {}};
    mqtt::encode_publish(out, version(), head, "t", {}, payload);
    return out;
  }
  void greet(bool session_present, std::uint16_t receive_maximum = 100) {
    client_.on_connected(now);
    REQUIRE(take().front().type == PacketType::connect);
    const auto events = say_connack(session_present, receive_maximum);
    REQUIRE(events.size() == 1);
    REQUIRE(events.front().kind == Kind::online);
  }

  Instant now;

 private:
  Version version() const { return client_.settings().version; }

  Sent read(const mqtt::Frame& frame) const {
    const PacketType type = mqtt::type_of(frame);
    if (type == PacketType::publish) {
      mqtt::Publish publish;
      REQUIRE(mqtt::decode_publish(frame, version(), publish) == mqtt::DecodeError::none);
      return {type, publish.packet_id, publish.dup, Bytes{publish.payload}};
    }
    const bool ack = type >= PacketType::puback && type <= PacketType::pubcomp;
    mqtt::Ack read_ack;
    if (ack) REQUIRE(mqtt::decode_ack(frame, version(), read_ack) == mqtt::DecodeError::none);
    return {type, read_ack.packet_id, false, {}};
  }

  MqttClientCore& client_;
};

void publish(MqttClientCore& client, BytesView payload, Qos qos = Qos::at_least_once) {
  client.publish({.topic = "t", .payload = payload, .qos = qos, .tag = 7});
}

}  // namespace

TEST_CASE("A client says who it is before anything else", "[tools][MQTT-3.1]") {
  MqttClientCore client{settings_of(Version::v5)};
  publish(client, "early");
  CHECK(client.output().empty());
  client.on_connected({});
  mqtt::Frame frame;
  REQUIRE(mqtt::next_frame(client.output(), 0, frame) == mqtt::Framing::complete);
  mqtt::Connect connect;
  REQUIRE(mqtt::decode_connect(frame, connect) == mqtt::DecodeError::none);
  CHECK(connect.client_id == "car-0001");
  CHECK_FALSE(connect.clean_start);
  CHECK(frame.size == client.output().size());
}

TEST_CASE("What waited for the connection goes out in order", "[tools]") {
  MqttClientCore client{settings_of(Version::v3_1_1)};
  Broker broker{client};
  publish(client, "a");
  publish(client, "zero", Qos::at_most_once);
  publish(client, "b");
  broker.greet(false);
  const auto sent = broker.take();
  REQUIRE(sent.size() == 3);
  CHECK(sent[0].payload == "a");
  CHECK(sent[1].payload == "zero");
  CHECK(sent[2].payload == "b");
  CHECK(client.backlog() == 2);
}

TEST_CASE("The window of the broker holds, and an acknowledgement opens it", "[tools][MQTT-4.9]") {
  MqttClientCore client{settings_of(Version::v5)};
  Broker broker{client};
  broker.greet(false, 2);
  for (const char* payload : {"a", "b", "c"}) publish(client, payload);
  CHECK(broker.take().size() == 2);
  const auto events = broker.say_ack(PacketType::puback, 1);
  REQUIRE(events.size() == 1);
  CHECK(events.front().kind == Kind::acknowledged);
  CHECK(events.front().tag == 7);
  CHECK(broker.take() == std::vector<Broker::Sent>{{PacketType::publish, 3, false, "c"}});
}

TEST_CASE("A refusal comes back with its reason", "[tools]") {
  MqttClientCore client{settings_of(Version::v5)};
  Broker broker{client};
  broker.greet(false);
  publish(client, "a");
  const auto events = broker.say_ack(PacketType::puback, 1, ReasonCode::quota_exceeded);
  REQUIRE(events.size() == 1);
  CHECK(events.front().reason == ReasonCode::quota_exceeded);
  CHECK(events.front().text == "quota exceeded");
  CHECK(client.backlog() == 0);
}

TEST_CASE("Unacknowledged messages are sent again as duplicates to a session that is still there",
          "[tools][MQTT-4.4]") {
  MqttClientCore client{settings_of(Version::v3_1_1)};
  Broker broker{client};
  broker.greet(false);
  for (const char* payload : {"a", "b"}) publish(client, payload);
  broker.take();
  client.on_disconnected();
  publish(client, "c");
  broker.greet(true);
  CHECK(broker.take() == std::vector<Broker::Sent>{{PacketType::publish, 1, true, "a"},
                                                   {PacketType::publish, 2, true, "b"},
                                                   {PacketType::publish, 3, false, "c"}});
  CHECK(client.resent() == 2);
}

TEST_CASE("They begin anew when the broker has forgotten the session", "[tools]") {
  MqttClientCore client{settings_of(Version::v5)};
  Broker broker{client};
  broker.greet(false);
  publish(client, "one");
  publish(client, "two", Qos::exactly_once);
  broker.take();
  CHECK(broker.say_ack(PacketType::pubrec, 2).empty());
  client.on_disconnected();
  broker.greet(false);
  CHECK(broker.take() == std::vector<Broker::Sent>{{PacketType::publish, 3, false, "one"},
                                                   {PacketType::publish, 4, false, "two"}});
}

TEST_CASE("QoS 2 goes on with PUBREL after a reconnect", "[tools][MQTT-4.3.3]") {
  MqttClientCore client{settings_of(Version::v5)};
  Broker broker{client};
  broker.greet(false);
  publish(client, "a", Qos::exactly_once);
  broker.take();
  broker.say_ack(PacketType::pubrec, 1);
  CHECK(broker.take() == std::vector<Broker::Sent>{{PacketType::pubrel, 1, false, ""}});
  client.on_disconnected();
  broker.greet(true);
  CHECK(broker.take() == std::vector<Broker::Sent>{{PacketType::pubrel, 1, false, ""}});
  const auto events = broker.say_ack(PacketType::pubcomp, 1);
  REQUIRE(events.size() == 1);
  CHECK(events.front().kind == Kind::acknowledged);
  CHECK(client.backlog() == 0);
}

TEST_CASE("A message of QoS 2 is handed on once, however often it is sent", "[tools]") {
  MqttClientCore client{settings_of(Version::v5)};
  Broker broker{client};
  broker.greet(false);
  CHECK(broker.say(broker.publish(Qos::exactly_once, 9, "x")).size() == 1);
  CHECK(broker.say(broker.publish(Qos::exactly_once, 9, "x")).empty());
  CHECK(broker.take().size() == 2);  // PUBREC both times.
  CHECK(broker.say_ack(PacketType::pubrel, 9).empty());
  CHECK(broker.take() == std::vector<Broker::Sent>{{PacketType::pubcomp, 9, false, ""}});
  CHECK(broker.say(broker.publish(Qos::exactly_once, 9, "y")).size() == 1);
}

TEST_CASE("Only messages that were taken are acknowledged", "[tools]") {
  MqttClientCore client{settings_of(Version::v3_1_1)};
  Broker broker{client};
  broker.greet(false);
  const Bytes both =
      broker.publish(Qos::at_least_once, 1, "a") + broker.publish(Qos::at_least_once, 2, "b");
  client.on_bytes(both, {});
  ClientEvent event;
  REQUIRE(client.next_event(event));
  CHECK(event.message.payload == "a");
  client.disconnect();
  CHECK_FALSE(client.next_event(event));
  const auto sent = broker.take();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0] == Broker::Sent{PacketType::puback, 1, false, ""});
  CHECK(sent[1].type == PacketType::disconnect);
}

TEST_CASE("Packets may arrive in any pieces", "[tools]") {
  MqttClientCore client{settings_of(Version::v5)};
  Broker broker{client};
  broker.greet(false);
  const Bytes all = broker.publish(Qos::at_least_once, 1, "first") +
                    broker.publish(Qos::at_least_once, 2, Bytes(300, 'x'));
  std::size_t messages = 0;
  const std::size_t piece = GENERATE(1u, 2u, 3u, 7u, 100u);
  for (std::size_t at = 0; at < all.size(); at += piece) {
    for (const ClientEvent& event : broker.say(all.substr(at, piece))) {
      CHECK(event.kind == Kind::message);
      ++messages;
    }
    ClientEvent none;
    CHECK_FALSE(client.next_event(none));  // Asking again changes nothing.
  }
  CHECK(messages == 2);
}

TEST_CASE("A broker that breaks the rules ends the conversation", "[tools]") {
  MqttClientCore client{settings_of(Version::v5)};
  Broker broker{client};
  SECTION("no CONNACK first") {
    client.on_connected({});
    CHECK(broker.say(broker.publish(Qos::at_most_once, 0, "x")).front().kind == Kind::failed);
  }
  SECTION("an acknowledgement for nothing") {
    broker.greet(false);
    CHECK(broker.say_ack(PacketType::puback, 5).front().kind == Kind::failed);
  }
  SECTION("bytes that are no packet") {
    broker.greet(false);
    CHECK(broker.say("\x30\xff\xff\xff\xff\xff").front().kind == Kind::failed);
  }
  CHECK_FALSE(client.online());
}

TEST_CASE("An idle client asks whether the broker is there, and notices silence", "[tools]") {
  ClientSettings settings = settings_of(Version::v5);
  settings.keep_alive_s = 40;
  MqttClientCore client{settings};
  Broker broker{client};
  broker.greet(false);
  client.on_time({Seconds{29}});
  CHECK(client.output().empty());
  client.on_time({Seconds{30}});
  REQUIRE(broker.take() == std::vector<Broker::Sent>{{PacketType::pingreq, 0, false, ""}});
  client.on_time({Seconds{60}});
  CHECK_FALSE(client.is_silent());
  client.on_time({Seconds{61}});
  CHECK(client.is_silent());
}

TEST_CASE("The end of a subscription is an event", "[tools][MQTT-3.11]") {
  const Version version = GENERATE(Version::v3_1_1, Version::v5);
  MqttClientCore client{settings_of(version)};
  Broker broker{client};
  broker.greet(false);
  client.unsubscribe("cars/+");
  mqtt::Frame frame;
  REQUIRE(mqtt::next_frame(client.output(), 0, frame) == mqtt::Framing::complete);
  mqtt::Unsubscribe asked;
  REQUIRE(mqtt::decode_unsubscribe(frame, version, asked) == mqtt::DecodeError::none);
  REQUIRE(asked.filters.size() == 1);
  CHECK(*asked.filters.begin() == "cars/+");
  const Bytes code{static_cast<char>(ReasonCode::no_subscription_existed)};
  Bytes answer;
  mqtt::encode(mqtt::Unsuback{.packet_id = asked.packet_id, .codes = mqtt::ReasonCodes{code}},
               version, answer);
  const auto events = broker.say(answer);
  REQUIRE(events.size() == 1);
  CHECK(events.front().kind == Kind::unsubscribed);
}

TEST_CASE("Packet identifiers skip those that are in use", "[tools]") {
  MqttClientCore client{settings_of(Version::v5, 65'000)};
  Broker broker{client};
  broker.greet(false, 65'000);
  publish(client, "stays");  // Takes 1 and is never acknowledged.
  broker.take();
  for (std::uint32_t i = 2; i <= 65'535; ++i) {
    publish(client, "x");
    client.output().clear();
    REQUIRE(broker.say_ack(PacketType::puback, static_cast<mqtt::PacketId>(i)).size() == 1);
  }
  publish(client, "wrapped");
  CHECK(broker.take() == std::vector<Broker::Sent>{{PacketType::publish, 2, false, "wrapped"}});
}

}  // namespace naru::tools

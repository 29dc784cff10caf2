// test/broker/bridge/relay_test.cpp
//
// Goal: what one side has sent is acknowledged to it only after the other side has acknowledged
// it, whatever breaks at any step. Method: both brokers are played by the test, in packets; a
// dialogue is repeated with a loss before each of its steps.

#include "broker/bridge/relay.hpp"

#include <catch2/catch.hpp>

#include "test/broker/bridge/bridge_stage.hpp"

namespace naru::broker {

TEST_CASE("A message is acknowledged on one side after the other side did", "[bridge]") {
  const Side from = GENERATE(Side::local, Side::remote);
  const Side to = other(from);
  const Version version = GENERATE(Version::v5, Version::v3_1_1);
  BridgeSettings settings = settings_with({"a both 2"});
  settings.greetings = {{version, version != Version::v5}};
  Stage stage{settings};
  stage.version = version;
  stage.join();
  SECTION("QoS 0 just crosses") {
    stage.publish(from, "a", Qos::at_most_once, 0);
    CHECK(stage.said(to) == Types{PacketType::publish});
    CHECK(stage.said(from).empty());
  }
  SECTION("QoS 1") {
    stage.publish(from, "a", Qos::at_least_once, 5);
    CHECK(stage.said(to) == Types{PacketType::publish});
    CHECK(stage.said(from).empty());
    stage.ack(to, PacketType::puback, 5);
    CHECK(stage.said(from) == Types{PacketType::puback});
  }
  SECTION("QoS 2") {
    stage.publish(from, "a", Qos::exactly_once, 5);
    CHECK(stage.said(to) == Types{PacketType::publish});
    CHECK(stage.said(from).empty());
    stage.ack(to, PacketType::pubrec, 5);
    CHECK(stage.said(from) == Types{PacketType::pubrec});
    stage.ack(from, PacketType::pubrel, 5);
    CHECK(stage.said(to) == Types{PacketType::pubrel});
    CHECK(stage.said(from).empty());
    stage.ack(to, PacketType::pubcomp, 5);
    CHECK(stage.said(from) == Types{PacketType::pubcomp});
  }
}

TEST_CASE("Whatever is lost at any step, both brokers finish QoS 2 with what they keep",
          "[bridge]") {
  // What the sender of the message sends again is what its own state says: it is played here.
  const int loss = GENERATE(range(0, 5));
  const Side lost = GENERATE(Side::local, Side::remote);
  const Side from = GENERATE(Side::local, Side::remote);
  const Side to = other(from);
  CAPTURE(loss, int(lost), int(from));
  Stage stage{settings_with({"a both 2"})};
  stage.join();
  bool sender_has_pubrec = false;
  bool done = false;
  int received = 0;        // How often the receiver took it for a new message.
  bool receiving = false;  // Its packet id is in use there.
  int step = 0;
  const auto breaks = [&] {
    if (step++ != loss) return false;
    stage.core.on_lost(lost, "cut", stage.now);
    CHECK(stage.core.state() == State::resting);
    stage.join(true);
    return true;
  };
  for (int round = 0; round < 2 && !done; ++round) {
    if (!sender_has_pubrec) {
      stage.publish(from, "a", Qos::exactly_once, 9);
      if (breaks()) continue;
      REQUIRE(stage.said(to) == Types{PacketType::publish});
      if (!std::exchange(receiving, true)) ++received;
      if (breaks()) continue;
      stage.ack(to, PacketType::pubrec, 9);
      if (breaks()) continue;
      REQUIRE(stage.said(from) == Types{PacketType::pubrec});
      sender_has_pubrec = true;
    }
    stage.ack(from, PacketType::pubrel, 9);
    if (breaks()) continue;
    REQUIRE(stage.said(to) == Types{PacketType::pubrel});
    receiving = false;
    stage.ack(to, PacketType::pubcomp, 9);
    if (breaks()) continue;
    REQUIRE(stage.said(from) == Types{PacketType::pubcomp});
    done = true;
  }
  CHECK(done);
  CHECK(received == 1);
}

TEST_CASE("What a broker forgot is brought to its end at the other", "[bridge]") {
  Stage stage{settings_with({"a both 2"})};
  stage.join();
  stage.publish(Side::remote, "a", Qos::exactly_once, 3);
  stage.ack(Side::local, PacketType::pubrec, 3);
  stage.core.on_lost(Side::remote, "cut", stage.now);
  stage.now = stage.core.next_deadline();
  stage.core.on_time(stage.now);
  stage.core.on_open(Side::remote, stage.now);
  stage.connack(Side::remote, false);
  stage.core.on_open(Side::local, stage.now);
  stage.said(Side::local);
  stage.connack(Side::local, true);
  CHECK(stage.said(Side::local) == Types{PacketType::subscribe, PacketType::pubrel});
  stage.said(Side::remote);
  stage.ack(Side::local, PacketType::pubcomp, 3);
  CHECK(stage.said(Side::remote).empty());
}

TEST_CASE("A broker of QoS 1 gets QoS 1, and the sender its whole QoS 2", "[bridge]") {
  Stage stage{settings_with({"a out 2"})};
  stage.core.start(stage.now);
  stage.core.on_open(Side::local, stage.now);
  stage.connack(Side::local, false);
  stage.suback(Side::local, 1);
  stage.core.on_open(Side::remote, stage.now);
  stage.connack(Side::remote, false, {.maximum_qos = Qos::at_least_once});
  stage.core.on_open(Side::local, stage.now);
  stage.connack(Side::local, true);
  stage.said(Side::local);
  stage.said(Side::remote);
  stage.publish(Side::local, "a", Qos::exactly_once, 4);
  CHECK(stage.said(Side::remote) == Types{PacketType::publish});
  stage.ack(Side::remote, PacketType::puback, 4);
  CHECK(stage.said(Side::local) == Types{PacketType::pubrec});
  stage.ack(Side::local, PacketType::pubrel, 4);
  CHECK(stage.said(Side::local) == Types{PacketType::pubcomp});
  CHECK(stage.said(Side::remote).empty());
}

TEST_CASE("What cannot cross is answered, counted and told once", "[bridge]") {
  BridgeSettings settings = settings_with({"a out 2"});
  settings.packet_size_max = 10;
  Stage stage{settings};
  stage.join();
  stage.publish(Side::local, "a", Qos::at_least_once, 1);
  stage.publish(Side::local, "a", Qos::exactly_once, 2);
  stage.publish(Side::remote, "b", Qos::at_least_once, 1);  // No topic line takes it.
  CHECK(stage.said(Side::local) == Types{PacketType::puback, PacketType::pubrec});
  CHECK(stage.said(Side::remote) == Types{PacketType::puback});
  stage.ack(Side::local, PacketType::pubrel, 2);
  CHECK(stage.said(Side::local) == Types{PacketType::pubcomp});
  CHECK(stage.core.counters().dropped == 3);
  BridgeEvent event;
  REQUIRE(stage.core.next_event(event));
  CHECK(event.kind == BridgeEvent::Kind::dropped);
  CHECK_FALSE(stage.core.next_event(event));
}

TEST_CASE("A refusal for good drops the message, one for now ends the connections", "[bridge]") {
  Stage stage{settings_with({"a both 2"})};
  stage.join();
  stage.publish(Side::local, "a", Qos::at_least_once, 1);
  stage.ack(Side::remote, PacketType::puback, 1, ReasonCode::not_authorized);
  CHECK(stage.said(Side::local) == Types{PacketType::puback});
  CHECK(stage.core.counters().dropped == 1);
  stage.publish(Side::remote, "a", Qos::at_least_once, 1);
  stage.ack(Side::local, PacketType::puback, 1, ReasonCode::quota_exceeded);
  CHECK(stage.core.state() == State::resting);
  CHECK(stage.core.counters().dropped == 1);
}

TEST_CASE("A message that was at a node does not go there again", "[bridge]") {
  Stage stage{settings_with({"a both 1"})};
  stage.join();
  Bytes passed;
  mqtt::append_passage(passed, mqtt::node_text(7));
  stage.publish(Side::remote, "a", Qos::at_least_once, 1, passed);
  CHECK(stage.said(Side::local).empty());
  CHECK(stage.said(Side::remote) == Types{PacketType::puback});
  CHECK(stage.core.counters().repeated == 1);
  CHECK(stage.core.counters().dropped == 0);
}

TEST_CASE("A side that does not read makes the other wait", "[bridge]") {
  Stage stage{settings_with({"a out 1"})};
  stage.join();
  Bytes packet;
  const Bytes payload(100'000, 'x');
  mqtt::encode_publish(packet, Version::v5, {.qos = Qos::at_least_once, .packet_id = 1}, "a", {},
                       payload);
  std::size_t given = 0;
  while (given < 100 && stage.core.receive(Side::local, packet, stage.now) != 0) ++given;
  CHECK(given < 20);
  CHECK_FALSE(stage.core.wants_input(Side::local));
  stage.core.output(Side::remote).clear();
  CHECK(stage.core.wants_input(Side::local));
}

}  // namespace naru::broker

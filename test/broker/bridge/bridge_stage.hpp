// test/broker/bridge/bridge_stage.hpp
//
// Stage is a bridge between two brokers that the test plays, in packets.
//
// Sans-IO. Lives on one thread; made by a test.
#pragma once

#include <catch2/catch.hpp>

#include "broker/bridge/bridge_core.hpp"
#include "broker/mqtt/bridge_path.hpp"
#include "broker/mqtt/encoder.hpp"

namespace naru::broker {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using State = BridgeCore::State;

inline BridgeSettings settings_with(std::initializer_list<const char*> topics) {
  BridgeSettings settings;
  settings.name = "b";
  for (const char* line : topics) settings.topics.push_back(*TopicRule::parse(line));
  settings.local_client_id = "local.b";
  settings.remote_client_id = "b";
  settings.notification_topic = "state";
  settings.notifications = false;
  settings.restart_base = settings.restart_most = Seconds{5};
  settings.node = mqtt::node_text(7);
  return settings;
}

// Both brokers of a bridge, by hand.
struct Stage {
  explicit Stage(BridgeSettings settings) : core(std::move(settings), Rng{1}) {}

  BridgeCore core;
  Instant now{Seconds{1000}};
  Version version = Version::v5;  // Of the remote broker.

  Version version_of(Side side) const { return side == Side::local ? Version::v5 : version; }

  // Types of the packets that wait for that side, in order; they are taken.
  std::vector<PacketType> said(Side side) {
    std::vector<PacketType> types;
    BytesView rest = core.output(side);
    mqtt::Frame frame;
    while (mqtt::next_frame(rest, 0, frame) == mqtt::Framing::complete) {
      types.push_back(mqtt::type_of(frame));
      rest.remove_prefix(frame.size);
    }
    CHECK(rest.empty());
    core.output(side).clear();
    return types;
  }
  void give(Side side, const Bytes& packet) {
    CHECK(core.receive(side, packet, now) == packet.size());
  }
  void connack(Side side, bool session_present, mqtt::Connack packet = {}) {
    packet.session_present = session_present;
    Bytes bytes;
    mqtt::encode(packet, version_of(side), bytes);
    give(side, bytes);
  }
  void suback(Side side, int count) {
    for (int i = 0; i < count; ++i) {
      Bytes bytes;
      mqtt::Suback packet;
      packet.packet_id = static_cast<mqtt::PacketId>(65'535 - i);
      packet.codes = mqtt::ReasonCodes{BytesView{"\x01", 1}};
      mqtt::encode(packet, version_of(side), bytes);
      give(side, bytes);
    }
  }
  void publish(Side side, BytesView topic, Qos qos, mqtt::PacketId id, Bytes properties = {}) {
    Bytes bytes;
    mqtt::encode_publish(bytes, version_of(side), {.qos = qos, .packet_id = id}, topic, properties,
                         "payload");
    give(side, bytes);
  }
  void ack(Side side, PacketType type, mqtt::PacketId id, ReasonCode reason = ReasonCode::success) {
    Bytes bytes;
    mqtt::encode_ack(bytes, version_of(side), type, id, reason);
    give(side, bytes);
  }
  // From the start until messages cross.
  void join(bool session_present = false) {
    if (core.state() == State::resting && !core.is_prepared()) core.start(now);
    if (core.state() == State::preparing) {
      core.on_open(Side::local, now);
      connack(Side::local, session_present);
      int local = 0;
      for (const TopicRule& rule : core.settings().topics) local += rule.leads_from(Side::local);
      suback(Side::local, local);
    }
    if (core.state() == State::resting) {
      now = core.next_deadline();
      core.on_time(now);
    }
    REQUIRE(core.state() == State::dialing);
    core.on_open(Side::remote, now);
    connack(Side::remote, session_present);
    REQUIRE(core.state() == State::joining);
    core.on_open(Side::local, now);
    connack(Side::local, session_present);
    REQUIRE(core.state() == State::relaying);
    said(Side::local);
    said(Side::remote);
    BridgeEvent event;
    while (core.next_event(event)) {
    }
  }
};

using Types = std::vector<PacketType>;

}  // namespace naru::broker

// broker/bridge/bridge_settings.hpp
//
// BridgeSettings is what a bridge is told once: where it goes, whom it calls itself, what crosses.
//
// Sans-IO. A value, owned by BridgeCore.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/bridge/topic_rule.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

// How it says CONNECT to the remote broker.
struct Greeting {
  mqtt::Version version = mqtt::Version::v5;
  bool as_bridge = false;  // 3.x: with the bit by which brokers know each other's bridges.
};

struct BridgeSettings {
  Bytes name;
  std::vector<TopicRule> topics;
  std::size_t addresses = 1;
  bool round_robin = false;                // Else the first is preferred.
  std::vector<Greeting> greetings = {{}};  // Tried in turn where one is not understood.

  Bytes local_client_id, remote_client_id;
  std::optional<Bytes> remote_user, remote_password;
  bool clean_session = false;        // Towards the remote broker.
  bool local_clean_session = false;  // Towards us.
  std::uint16_t keep_alive_s = 60;   // 0: none.
  Duration restart_base = Seconds{5};
  Duration restart_most = Seconds{30};  // Equal to the base: always the same.
  bool once = false;                    // It is not connected again.

  bool notifications = true;         // Of its state: "1" or "0", retained.
  bool notifications_local = false;  // Only to us.
  Bytes notification_topic;          // Never empty.

  bool outgoing_retain = true;
  bool attempt_unsubscribe = true;
  std::uint32_t packet_size_max = 0;  // Of what goes to the remote broker; 0: its own limit.
  std::uint32_t local_packet_size_max = 2u << 20;
  Bytes node;  // Our id, as broker/mqtt/bridge_path.hpp has it.
};

}  // namespace naru::broker

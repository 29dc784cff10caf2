// test/support/model_options.hpp
//
// What a ModelClient is told to be, to publish and to ask for.
//
// Plain values, in MQTT's own units.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/mqtt/types.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::test {

struct ModelWill {
  std::string topic;
  mqtt::Qos qos = mqtt::Qos::at_least_once;
  bool retain = false;
  std::uint32_t delay = 0;  // Seconds; with MQTT 5 only.
};

struct ModelOptions {
  std::uint32_t number = 0;  // Unique in the run: the publisher in payloads, the client in records.
  std::string client_id;
  mqtt::Version version = mqtt::Version::v5;
  bool clean_start = false;
  std::uint32_t session_expiry = 0;  // Seconds. MQTT 3.1.1: persistent means !clean_start.
  std::uint16_t keep_alive = 0;
  std::uint16_t receive_maximum = 20;
  std::size_t window = 20;  // Unacknowledged publishes, within what the broker grants.
  Duration ack_delay{0};    // How slow it is with its own acknowledgements.
  std::optional<ModelWill> will;
};

struct ModelPublish {
  std::string_view topic;
  mqtt::Qos qos = mqtt::Qos::at_least_once;
  bool retain = false;
  bool clear = false;                   // Empty payload: with retain, clears the topic.
  std::optional<std::uint32_t> expiry;  // Seconds; MQTT 5.
  std::size_t size = 0;                 // At least the identity is written.
  Bytes body = {};                      // Written instead, where not empty.
};

struct ModelSubscribe {
  std::string_view filter;
  mqtt::Qos qos = mqtt::Qos::at_least_once;
  bool no_local = false;
};

}  // namespace naru::test

// broker/mqtt/types.hpp
//
// The small words of MQTT: protocol versions, packet types, QoS, reason codes.
//
// Sans-IO. Lives on any thread; values. Spec: MQTT 5.0 section 2.4, MQTT 3.1.1 table 3.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace naru::mqtt {

enum class Version : std::uint8_t { v3_1 = 3, v3_1_1 = 4, v5 = 5 };

enum class Qos : std::uint8_t { at_most_once, at_least_once, exactly_once };

// Set in the level of a 3.x CONNECT by a broker that connects to another, as mosquitto does.
inline constexpr unsigned bridge_bit = 0x80;

using PacketId = std::uint16_t;  // 0 means "none"; on the wire it never appears.

enum class PacketType : std::uint8_t {
  connect = 1,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
  auth = 15,
};

// The whole of a packet, its fixed header included, is never longer than this.
inline constexpr std::size_t remaining_length_limit = 268'435'455;
inline constexpr std::size_t packet_size_limit = remaining_length_limit + 5;

// Everything from 0x80 on is a failure.
enum class ReasonCode : std::uint8_t {
  success = 0x00,
  normal_disconnection = 0x00,
  granted_qos_0 = 0x00,
  granted_qos_1 = 0x01,
  granted_qos_2 = 0x02,
  disconnect_with_will = 0x04,
  no_matching_subscribers = 0x10,
  no_subscription_existed = 0x11,
  continue_authentication = 0x18,
  re_authenticate = 0x19,
  unspecified_error = 0x80,
  malformed_packet = 0x81,
  protocol_error = 0x82,
  implementation_specific_error = 0x83,
  unsupported_protocol_version = 0x84,
  client_identifier_not_valid = 0x85,
  bad_user_name_or_password = 0x86,
  not_authorized = 0x87,
  server_unavailable = 0x88,
  server_busy = 0x89,
  banned = 0x8a,
  server_shutting_down = 0x8b,
  bad_authentication_method = 0x8c,
  keep_alive_timeout = 0x8d,
  session_taken_over = 0x8e,
  topic_filter_invalid = 0x8f,
  topic_name_invalid = 0x90,
  packet_identifier_in_use = 0x91,
  packet_identifier_not_found = 0x92,
  receive_maximum_exceeded = 0x93,
  topic_alias_invalid = 0x94,
  packet_too_large = 0x95,
  message_rate_too_high = 0x96,
  quota_exceeded = 0x97,
  administrative_action = 0x98,
  payload_format_invalid = 0x99,
  retain_not_supported = 0x9a,
  qos_not_supported = 0x9b,
  use_another_server = 0x9c,
  server_moved = 0x9d,
  shared_subscriptions_not_supported = 0x9e,
  connection_rate_exceeded = 0x9f,
  maximum_connect_time = 0xa0,
  subscription_identifiers_not_supported = 0xa1,
  wildcard_subscriptions_not_supported = 0xa2,
};

inline bool is_failure(ReasonCode code) { return static_cast<std::uint8_t>(code) >= 0x80; }

// The enumerator's own name, for logs and metrics; "unknown" for a number without a meaning.
std::string_view name(ReasonCode code);
std::string_view name(PacketType type);
std::string_view name(Version version);

// Whether MQTT 5 lets a packet of this type carry this code.
bool may_carry(PacketType type, ReasonCode code);

// CONNACK of MQTT 3.x knows six return codes. What has no counterpart is "server unavailable".
std::uint8_t connack_code_v3(ReasonCode code);
// The way back, for clients; an unknown number is unspecified_error.
ReasonCode reason_of_connack_v3(std::uint8_t return_code);

}  // namespace naru::mqtt

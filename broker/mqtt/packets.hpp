// broker/mqtt/packets.hpp
//
// The packets of MQTT as plain structs. What is absent on the wire has the value that absence
// means; where that differs from every value there is a std::optional.
//
// Sans-IO. Lives on any thread; values, bounded by the packet. Owned by the caller; every view
// points into what was decoded or what is to be encoded, and dies with that.
// Spec: chapter 3 of MQTT 3.1.1 and MQTT 5.0.
#pragma once

#include <cstdint>
#include <optional>

#include "broker/mqtt/lazy_range.hpp"
#include "broker/mqtt/properties.hpp"
#include "broker/mqtt/types.hpp"
#include "storage/base/bytes.hpp"

namespace naru::mqtt {

// `properties` is a property block without its length. When properties_clean is false it still
// contains hop_properties, which copy_properties_without() removes before it is passed on.
struct Will {
  BytesView topic{};
  BytesView payload{};
  Qos qos = Qos::at_most_once;
  bool retain = false;
  BytesView properties{};
  bool properties_clean = true;
  std::uint32_t delay_interval = 0;
  std::optional<std::uint32_t> expiry{};
};

struct Connect {
  Version version = Version::v5;
  bool bridge = false;  // 3.x: the level has the bit by which brokers know each other's bridges.
  bool clean_start = true;
  std::uint16_t keep_alive = 0;
  BytesView client_id{};  // May be empty, even with clean_start == false: the broker judges.
  std::optional<Will> will{};
  std::optional<BytesView> username{};
  std::optional<BytesView> password{};
  std::uint32_t session_expiry_interval = 0;
  std::uint16_t receive_maximum = 65'535;
  std::uint32_t maximum_packet_size = 0;  // 0: no limit.
  std::uint16_t topic_alias_maximum = 0;
  bool request_response_information = false;
  bool request_problem_information = true;
  std::optional<BytesView> authentication_method{};
  std::optional<BytesView> authentication_data{};  // Never without a method.
  UserProperties user_properties{};
};

// Empty text means "not sent".
struct Connack {
  bool session_present = false;
  ReasonCode reason = ReasonCode::success;
  BytesView assigned_client_id{};
  std::optional<std::uint16_t> server_keep_alive{};
  std::optional<std::uint32_t> session_expiry_interval{};
  std::uint16_t receive_maximum = 65'535;
  Qos maximum_qos = Qos::exactly_once;
  bool retain_available = true;
  std::uint32_t maximum_packet_size = 0;  // 0: no limit.
  std::uint16_t topic_alias_maximum = 0;
  bool wildcard_subscription_available = true;
  bool subscription_identifier_available = true;
  bool shared_subscription_available = true;
  BytesView reason_string{};
  BytesView response_information{};
  BytesView server_reference{};
  std::optional<BytesView> authentication_method{};
  std::optional<BytesView> authentication_data{};
  UserProperties user_properties{};
};

struct Publish {
  bool dup = false;
  Qos qos = Qos::at_most_once;
  bool retain = false;
  bool properties_clean = true;   // As in Will.
  PacketId packet_id = 0;         // 0 exactly when qos is at_most_once.
  std::uint16_t topic_alias = 0;  // 0: none.
  std::optional<std::uint32_t> expiry{};
  BytesView topic{};  // Empty only with a topic_alias.
  BytesView payload{};
  BytesView properties{};
  SubscriptionIds subscription_ids{};  // A client may not send any: the broker judges.
};

// PUBACK, PUBREC, PUBREL or PUBCOMP.
struct Ack {
  PacketId packet_id = 0;
  ReasonCode reason = ReasonCode::success;
  BytesView reason_string{};
};

struct SubscribeEntry {
  BytesView filter{};
  Qos qos = Qos::at_most_once;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;  // 0: send retained, 1: if it is a new subscription, 2: never.
};

bool next_entry(ByteReader& in, SubscribeEntry& out);
bool next_filter(ByteReader& in, BytesView& out);
using SubscribeEntries = LazyRange<SubscribeEntry, next_entry>;
using Filters = LazyRange<BytesView, next_filter>;

struct Subscribe {
  PacketId packet_id = 0;
  std::uint32_t subscription_id = 0;  // 0: none.
  SubscribeEntries entries{};         // At least one.
};
struct Unsubscribe {
  PacketId packet_id = 0;
  Filters filters{};  // At least one.
};

bool next_code(ByteReader& in, ReasonCode& out);
using ReasonCodes = LazyRange<ReasonCode, next_code>;  // One byte each, as on the wire of MQTT 5.

struct Suback {
  PacketId packet_id = 0;
  ReasonCodes codes{};
  BytesView reason_string{};
};
struct Unsuback {
  PacketId packet_id = 0;
  ReasonCodes codes{};  // Empty in 3.x.
  BytesView reason_string{};
};

struct Pingreq {};
struct Pingresp {};
struct Disconnect {
  ReasonCode reason = ReasonCode::normal_disconnection;
  std::optional<std::uint32_t> session_expiry_interval{};
  BytesView reason_string{};
  BytesView server_reference{};
};
struct Auth {
  ReasonCode reason = ReasonCode::success;
  std::optional<BytesView> method{};
  std::optional<BytesView> data{};
  BytesView reason_string{};
};

}  // namespace naru::mqtt

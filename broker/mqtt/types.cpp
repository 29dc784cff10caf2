// broker/mqtt/types.cpp: which packet may carry which reason code, MQTT 5.0 table 2-6 as one table.

#include "broker/mqtt/types.hpp"

#include <array>

namespace naru::mqtt {
namespace {

using Carriers = std::uint16_t;  // One bit per packet type.

constexpr Carriers bit(PacketType type) {
  return static_cast<Carriers>(1u << static_cast<unsigned>(type));
}

constexpr Carriers connack = bit(PacketType::connack);
constexpr Carriers puback = bit(PacketType::puback) | bit(PacketType::pubrec);
constexpr Carriers pubrel = bit(PacketType::pubrel) | bit(PacketType::pubcomp);
constexpr Carriers suback = bit(PacketType::suback);
constexpr Carriers unsuback = bit(PacketType::unsuback);
constexpr Carriers disconnect = bit(PacketType::disconnect);
constexpr Carriers auth = bit(PacketType::auth);

struct ReasonRow {
  ReasonCode code;
  Carriers carriers;
  std::string_view name;
};

using R = ReasonCode;

// clang-format off
constexpr std::array reason_rows{
  ReasonRow{R::success, connack | puback | pubrel | suback | unsuback | disconnect | auth, "success"},
  ReasonRow{R::granted_qos_1,                 suback,                "granted_qos_1"},
  ReasonRow{R::granted_qos_2,                 suback,                "granted_qos_2"},
  ReasonRow{R::disconnect_with_will,          disconnect,            "disconnect_with_will"},
  ReasonRow{R::no_matching_subscribers,       puback,                "no_matching_subscribers"},
  ReasonRow{R::no_subscription_existed,       unsuback,              "no_subscription_existed"},
  ReasonRow{R::continue_authentication,       auth,                  "continue_authentication"},
  ReasonRow{R::re_authenticate,               auth,                  "re_authenticate"},
  ReasonRow{R::unspecified_error, connack | puback | suback | unsuback | disconnect, "unspecified_error"},
  ReasonRow{R::malformed_packet,              connack | disconnect,  "malformed_packet"},
  ReasonRow{R::protocol_error,                connack | disconnect,  "protocol_error"},
  ReasonRow{R::implementation_specific_error, connack | puback | suback | unsuback | disconnect, "implementation_specific_error"},
  ReasonRow{R::unsupported_protocol_version,  connack,               "unsupported_protocol_version"},
  ReasonRow{R::client_identifier_not_valid,   connack,               "client_identifier_not_valid"},
  ReasonRow{R::bad_user_name_or_password,     connack,               "bad_user_name_or_password"},
  ReasonRow{R::not_authorized, connack | puback | suback | unsuback | disconnect, "not_authorized"},
  ReasonRow{R::server_unavailable,            connack,               "server_unavailable"},
  ReasonRow{R::server_busy,                   connack | disconnect,  "server_busy"},
  ReasonRow{R::banned,                        connack,               "banned"},
  ReasonRow{R::server_shutting_down,          disconnect,            "server_shutting_down"},
  ReasonRow{R::bad_authentication_method,     connack | disconnect,  "bad_authentication_method"},
  ReasonRow{R::keep_alive_timeout,            disconnect,            "keep_alive_timeout"},
  ReasonRow{R::session_taken_over,            disconnect,            "session_taken_over"},
  ReasonRow{R::topic_filter_invalid,          suback | unsuback | disconnect, "topic_filter_invalid"},
  ReasonRow{R::topic_name_invalid,            connack | puback | disconnect, "topic_name_invalid"},
  ReasonRow{R::packet_identifier_in_use,      puback | suback | unsuback, "packet_identifier_in_use"},
  ReasonRow{R::packet_identifier_not_found,   pubrel,                "packet_identifier_not_found"},
  ReasonRow{R::receive_maximum_exceeded,      disconnect,            "receive_maximum_exceeded"},
  ReasonRow{R::topic_alias_invalid,           disconnect,            "topic_alias_invalid"},
  ReasonRow{R::packet_too_large,              connack | disconnect,  "packet_too_large"},
  ReasonRow{R::message_rate_too_high,         disconnect,            "message_rate_too_high"},
  ReasonRow{R::quota_exceeded,                connack | puback | suback | disconnect, "quota_exceeded"},
  ReasonRow{R::administrative_action,         disconnect,            "administrative_action"},
  ReasonRow{R::payload_format_invalid,        connack | puback | disconnect, "payload_format_invalid"},
  ReasonRow{R::retain_not_supported,          connack | disconnect,  "retain_not_supported"},
  ReasonRow{R::qos_not_supported,             connack | disconnect,  "qos_not_supported"},
  ReasonRow{R::use_another_server,            connack | disconnect,  "use_another_server"},
  ReasonRow{R::server_moved,                  connack | disconnect,  "server_moved"},
  ReasonRow{R::shared_subscriptions_not_supported, suback | disconnect, "shared_subscriptions_not_supported"},
  ReasonRow{R::connection_rate_exceeded,      connack | disconnect,  "connection_rate_exceeded"},
  ReasonRow{R::maximum_connect_time,          disconnect,            "maximum_connect_time"},
  ReasonRow{R::subscription_identifiers_not_supported, suback | disconnect, "subscription_identifiers_not_supported"},
  ReasonRow{R::wildcard_subscriptions_not_supported, suback | disconnect, "wildcard_subscriptions_not_supported"},
};
// clang-format on
static_assert(reason_rows.size() == 43);

// Acknowledgements ask once per packet, so the answer is one array access.
constexpr auto carriers_by_code = [] {
  std::array<Carriers, 256> carriers{};
  for (const ReasonRow& row : reason_rows) {
    carriers[static_cast<std::size_t>(row.code)] = row.carriers;
  }
  return carriers;
}();

constexpr std::array<std::string_view, 16> packet_names{
    "reserved", "connect",  "connack",    "publish", "puback",      "pubrec",
    "pubrel",   "pubcomp",  "subscribe",  "suback",  "unsubscribe", "unsuback",
    "pingreq",  "pingresp", "disconnect", "auth"};

}  // namespace

std::string_view name(ReasonCode code) {
  for (const ReasonRow& row : reason_rows) {
    if (row.code == code) return row.name;
  }
  return "unknown";
}

std::string_view name(PacketType type) { return packet_names[static_cast<std::size_t>(type) & 15]; }

std::string_view name(Version version) {
  switch (version) {
    case Version::v3_1: return "3.1";
    case Version::v3_1_1: return "3.1.1";
    case Version::v5: return "5.0";
  }
  return "unknown";
}

bool may_carry(PacketType type, ReasonCode code) {
  return (carriers_by_code[static_cast<std::size_t>(code)] & bit(type)) != 0;
}

std::uint8_t connack_code_v3(ReasonCode code) {
  switch (code) {
    case ReasonCode::success: return 0;
    case ReasonCode::unsupported_protocol_version: return 1;
    case ReasonCode::client_identifier_not_valid: return 2;
    case ReasonCode::bad_user_name_or_password: return 4;
    case ReasonCode::not_authorized:
    case ReasonCode::banned:
    case ReasonCode::bad_authentication_method: return 5;
    default: return 3;
  }
}

ReasonCode reason_of_connack_v3(std::uint8_t return_code) {
  constexpr std::array reasons{
      ReasonCode::success,
      ReasonCode::unsupported_protocol_version,
      ReasonCode::client_identifier_not_valid,
      ReasonCode::server_unavailable,
      ReasonCode::bad_user_name_or_password,
      ReasonCode::not_authorized,
  };
  return return_code < reasons.size() ? reasons[return_code] : ReasonCode::unspecified_error;
}

}  // namespace naru::mqtt

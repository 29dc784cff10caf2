// broker/mqtt/reason_text.cpp: one row per code that refuses.

#include "broker/mqtt/reason_text.hpp"

#include <array>

namespace naru::mqtt {
namespace {

struct TextRow {
  ReasonCode code;
  std::string_view text;
};

using R = ReasonCode;

// clang-format off
constexpr std::array text_rows{
  TextRow{R::unspecified_error,                      "the broker could not do it"},
  TextRow{R::malformed_packet,                       "the packet is malformed"},
  TextRow{R::protocol_error,                         "MQTT does not allow this here"},
  TextRow{R::implementation_specific_error,          "this broker does not allow it"},
  TextRow{R::unsupported_protocol_version,           "MQTT 3.1, 3.1.1 and 5.0 are spoken here"},
  TextRow{R::client_identifier_not_valid,            "the client id is not allowed"},
  TextRow{R::bad_user_name_or_password,              "bad user name or password"},
  TextRow{R::not_authorized,                         "not authorized"},
  TextRow{R::server_unavailable,                     "the broker is not available"},
  TextRow{R::server_busy,                            "the broker is busy, try again later"},
  TextRow{R::banned,                                 "banned"},
  TextRow{R::server_shutting_down,                   "the broker is shutting down"},
  TextRow{R::bad_authentication_method,              "the authentication method is not offered"},
  TextRow{R::keep_alive_timeout,                     "nothing came within the keep alive"},
  TextRow{R::session_taken_over,                     "another connection uses the client id"},
  TextRow{R::topic_filter_invalid,                   "the topic filter is not allowed"},
  TextRow{R::topic_name_invalid,                     "the topic is not allowed"},
  TextRow{R::packet_identifier_in_use,               "the packet id is in use"},
  TextRow{R::packet_identifier_not_found,            "no message has this packet id"},
  TextRow{R::receive_maximum_exceeded,               "more messages are open than Receive Maximum allows"},
  TextRow{R::topic_alias_invalid,                    "the topic alias is not allowed"},
  TextRow{R::packet_too_large,                       "the packet is too large"},
  TextRow{R::message_rate_too_high,                  "messages come too fast"},
  TextRow{R::quota_exceeded,                         "a limit of the broker is reached"},
  TextRow{R::administrative_action,                  "the operator ended the connection"},
  TextRow{R::payload_format_invalid,                 "the payload is not what it is said to be"},
  TextRow{R::retain_not_supported,                   "retained messages are not offered"},
  TextRow{R::qos_not_supported,                      "the QoS is not offered"},
  TextRow{R::use_another_server,                     "use another server"},
  TextRow{R::server_moved,                           "the server has moved"},
  TextRow{R::shared_subscriptions_not_supported,     "shared subscriptions are not offered"},
  TextRow{R::connection_rate_exceeded,               "connections come too fast"},
  TextRow{R::maximum_connect_time,                   "the connection was open as long as it may be"},
  TextRow{R::subscription_identifiers_not_supported, "subscription identifiers are not offered"},
  TextRow{R::wildcard_subscriptions_not_supported,   "wildcards are not offered"},
};
// clang-format on

}  // namespace

std::string_view text_of(ReasonCode code) {
  for (const TextRow& row : text_rows) {
    if (row.code == code) return row.text;
  }
  return {};
}

}  // namespace naru::mqtt

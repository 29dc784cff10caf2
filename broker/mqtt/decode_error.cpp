// broker/mqtt/decode_error.cpp: one row per error: its name and the code that answers it.

#include "broker/mqtt/decode_error.hpp"

#include <array>

namespace naru::mqtt {
namespace {

struct ErrorRow {
  DecodeError error;
  ReasonCode reason;
  std::string_view name;
  std::string_view text;
};

using E = DecodeError;
using R = ReasonCode;

// clang-format off
constexpr std::array error_rows{
  ErrorRow{E::none,                R::success,                      "none",                  ""},
  ErrorRow{E::malformed,           R::malformed_packet,             "malformed",             "a length, a reserved bit or UTF-8 is wrong"},
  ErrorRow{E::protocol_error,      R::protocol_error,               "protocol_error",        "MQTT does not allow this here"},
  ErrorRow{E::unsupported_version, R::unsupported_protocol_version, "unsupported_version",   "MQTT 3.1, 3.1.1 and 5.0 are spoken here"},
  ErrorRow{E::invalid_topic,       R::topic_name_invalid,           "invalid_topic",         "a topic may not be empty nor contain wildcards"},
  ErrorRow{E::invalid_filter,      R::topic_filter_invalid,         "invalid_filter",        "the filter breaks the rules for wildcards or $share"},
  ErrorRow{E::property_unknown,    R::malformed_packet,             "property_unknown",      "MQTT has no such property"},
  ErrorRow{E::property_misplaced,  R::malformed_packet,             "property_misplaced",    "a property does not belong into this packet"},
  ErrorRow{E::property_repeated,   R::protocol_error,               "property_repeated",     "a property stands twice that may stand once"},
  ErrorRow{E::property_value,      R::protocol_error,               "property_value",        "the value of a property is outside its range"},
  ErrorRow{E::topic_alias_invalid, R::topic_alias_invalid,          "topic_alias_invalid",   "a topic alias may not be 0"},
};
// clang-format on

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < error_rows.size(); ++i) {
    if (error_rows[i].error != static_cast<DecodeError>(i)) return false;
  }
  return error_rows.back().error == DecodeError::topic_alias_invalid;
}
static_assert(rows_in_order(), "the row of an error is found by its number");

const ErrorRow& row_of(DecodeError error) { return error_rows[static_cast<std::size_t>(error)]; }

}  // namespace

ReasonCode reason_of(DecodeError error) { return row_of(error).reason; }

std::string_view name(DecodeError error) { return row_of(error).name; }

std::string_view text_of(DecodeError error) { return row_of(error).text; }

}  // namespace naru::mqtt

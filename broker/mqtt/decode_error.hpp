// broker/mqtt/decode_error.hpp
//
// DecodeError says what is wrong with a packet; each has the reason code that answers it.
//
// Sans-IO. Lives on any thread; a value of one byte, so that decoding never allocates.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/mqtt/types.hpp"

namespace naru::mqtt {

enum class [[nodiscard]] DecodeError : std::uint8_t{
    none,
    malformed,            // Cannot be read: lengths, reserved bits, UTF-8, bytes left over.
    protocol_error,       // Can be read, but says what MQTT does not allow.
    unsupported_version,  // CONNECT with a protocol name or level we do not speak.
    invalid_topic,        // UTF-8, but empty or with a wildcard.
    invalid_filter,       // UTF-8, but against the rules for wildcards or $share.
    property_unknown,
    property_misplaced,   // Known, but not in this packet.
    property_repeated,    // Stands twice where it may stand once.
    property_value,       // Outside its range.
    topic_alias_invalid,  // Zero.
};

ReasonCode reason_of(DecodeError error);

std::string_view name(DecodeError error);
std::string_view text_of(DecodeError error);  // For the developer of the client.

}  // namespace naru::mqtt

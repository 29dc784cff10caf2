// broker/mqtt/fixed_header.hpp
//
// The first byte of each packet, and whether a frame has the one its packet must have.
//
// Sans-IO. Lives on any thread; pure functions. Spec: MQTT 5.0 section 2.1.3.
#pragma once

#include <cstdint>

#include "broker/mqtt/decoder.hpp"
#include "broker/mqtt/types.hpp"

namespace naru::mqtt {

// Three packets carry 2 in their flags, PUBLISH carries its own, all others 0.
constexpr std::uint8_t first_byte_of(PacketType type) {
  const bool two = type == PacketType::pubrel || type == PacketType::subscribe ||
                   type == PacketType::unsubscribe;
  return static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | (two ? 2u : 0u));
}

// MQTT 5 wants the shortest form of the length; some 3.x clients always write four bytes.
inline bool has_minimal_length(const Frame& frame) {
  const std::size_t length_bytes = frame.size - frame.body.size() - 1;
  return length_bytes == 1 || frame.body.size() >> (7 * (length_bytes - 1)) != 0;
}

inline bool has_header(const Frame& frame, Version version, PacketType type) {
  if (version == Version::v5 && !has_minimal_length(frame)) return false;
  const std::uint8_t expected = first_byte_of(type);
  // MQTT 3.1 still had a DUP flag in the three packets that carry 2.
  if (version == Version::v3_1 && (expected & 0x0f) != 0) return type_of(frame) == type;
  return frame.first_byte == expected;
}

}  // namespace naru::mqtt

// broker/mqtt/varint.hpp
//
// MQTT's variable byte integer as MQTT 5 wants it: never longer than it must be.
//
// Sans-IO. Lives on any thread; pure functions. Bounded by four bytes. Spec: MQTT 5.0 1.5.5.
#pragma once

#include <cstddef>
#include <cstdint>

#include "storage/base/byte_reader.hpp"

namespace naru::mqtt {

// REQUIRES: value < 2^28.
constexpr std::size_t varint_size(std::size_t value) {
  return 1 + std::size_t{value >= 1u << 7} + std::size_t{value >= 1u << 14} +
         std::size_t{value >= 1u << 21};
}

// REQUIRES: value < 2^28 and four bytes of room. Returns where the integer ends.
inline char* put_varint(char* at, std::size_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

// Fails the reader where ByteReader::varint() would accept zeros in front.
inline std::uint32_t minimal_varint(ByteReader& in) {
  const std::size_t before = in.left();
  const std::uint32_t value = in.varint();
  if (before - in.left() != varint_size(value)) in.fail();
  return in.ok() ? value : 0;
}

}  // namespace naru::mqtt

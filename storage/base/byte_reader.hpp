// storage/base/byte_reader.hpp
//
// ByteReader walks over bytes it does not trust. It fails sticky: after the first read beyond the
// end it is empty, every further read yields zero or nothing, and ok() is false. Callers read a
// whole structure and ask once. Integers are big endian, as in MQTT.
//
// Sans-IO. Lives on any thread; a value that borrows its bytes. Never allocates.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/base/bytes.hpp"

namespace naru {

class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }
  BytesView rest() const { return rest_; }
  // True when everything was read and nothing was missing.
  bool done() const { return ok_ && rest_.empty(); }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian<1>()); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian<2>()); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian<4>()); }
  std::uint64_t u64() { return big_endian<8>(); }

  BytesView bytes(std::size_t n) {
    if (n > rest_.size()) {
      fail();
      return {};
    }
    const BytesView taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  // A nested block of n bytes; the sub-reader cannot leave it.
  ByteReader take(std::size_t n) {
    ByteReader block{bytes(n)};
    if (!ok_) block.fail();
    return block;
  }

  // MQTT's variable byte integer (at most four bytes).
  std::uint32_t varint() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const std::uint8_t byte = u8();
      value |= std::uint32_t{byte & 0x7fu} << shift;
      if ((byte & 0x80u) == 0) return ok_ ? value : 0;
    }
    fail();
    return 0;
  }
  // Unsigned LEB128 up to 64 bits, the integer of our own records.
  std::uint64_t leb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = u8();
      if (shift == 63 && (byte & 0x7eu) != 0) break;
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80u) == 0) return ok_ ? value : 0;
    }
    fail();
    return 0;
  }
  // Bytes with a 16-bit length in front (MQTT strings and binary data).
  BytesView block16() { return bytes(u16()); }
  // Bytes with a LEB128 length in front (our own records).
  BytesView block() {
    const std::uint64_t n = leb();
    if (n > rest_.size()) {
      fail();
      return {};
    }
    return bytes(static_cast<std::size_t>(n));
  }

 private:
  template <std::size_t n>
  std::uint64_t big_endian() {
    const BytesView taken = bytes(n);
    std::uint64_t value = 0;
    for (const char c : taken) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }

  BytesView rest_;
  bool ok_ = true;
};

}  // namespace naru

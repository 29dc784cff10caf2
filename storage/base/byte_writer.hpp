// storage/base/byte_writer.hpp
//
// ByteWriter appends to a byte string somebody else owns, in the forms ByteReader reads.
//
// Sans-IO. Lives on any thread; borrows the string for its own short life.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"

namespace naru {

class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value) { big_endian<2>(value); }
  void u32(std::uint32_t value) { big_endian<4>(value); }
  void u64(std::uint64_t value) { big_endian<8>(value); }
  void bytes(BytesView value) { out_.append(value); }

  // MQTT's variable byte integer. REQUIRES: value < 2^28.
  void varint(std::uint32_t value) { leb(value); }
  // Unsigned LEB128.
  static constexpr std::size_t leb_bytes_max = 10;
  static constexpr std::size_t leb_size(std::uint64_t value) {
    std::size_t size = 1;
    for (; value >= 0x80; value >>= 7) ++size;
    return size;
  }
  void leb(std::uint64_t value) {
    char raw[leb_bytes_max];
    std::size_t size = 0;
    for (; value >= 0x80; value >>= 7) raw[size++] = static_cast<char>(value | 0x80);
    raw[size++] = static_cast<char>(value);
    out_.append(raw, size);
  }
  // REQUIRES: value.size() < 65536.
  void block16(BytesView value) {
    u16(static_cast<std::uint16_t>(value.size()));
    bytes(value);
  }
  void block(BytesView value) {
    leb(value.size());
    bytes(value);
  }

 private:
  template <std::size_t n>
  void big_endian(std::uint64_t value) {
    char raw[n];
    for (std::size_t i = n; i-- > 0; value >>= 8) raw[i] = static_cast<char>(value & 0xff);
    out_.append(raw, n);
  }

  Bytes& out_;
};

}  // namespace naru

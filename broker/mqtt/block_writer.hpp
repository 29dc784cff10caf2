// broker/mqtt/block_writer.hpp
//
// BlockWriter appends one small packet, or one property block inside it, and puts the length in
// front when close() is called: no second function has to know how long everything becomes.
//
// Sans-IO. Lives on any thread; borrows the output for its own short life. Blocks nest: the inner
// one is closed first, and the outer one writes nothing meanwhile.
// Bounded by: strings of 65535 bytes and packets of packet_size_limit, both checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "broker/mqtt/fixed_header.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/mqtt/varint.hpp"
#include "storage/base/byte_writer.hpp"
#include "storage/base/check.hpp"

namespace naru::mqtt {

class BlockWriter {
 public:
  explicit BlockWriter(Bytes& out) : out_(out), writer_(out), start_(out.size()) {}
  BlockWriter(Bytes& out, PacketType type) : BlockWriter(out) {
    writer_.u8(first_byte_of(type));
    ++start_;
  }

  ByteWriter& raw() { return writer_; }
  void close() {
    const std::size_t size = out_.size() - start_;
    NARU_CHECK(size <= remaining_length_limit);
    char length[4];
    const char* const end = put_varint(length, size);
    out_.insert(start_, length, static_cast<std::size_t>(end - length));
  }

  void text(BytesView value) {
    NARU_CHECK(value.size() <= string_size_limit);
    writer_.block16(value);
  }

  void u16(std::uint8_t id, std::uint16_t value) {
    writer_.u8(id);
    writer_.u16(value);
  }
  void u32(std::uint8_t id, std::uint32_t value) {
    writer_.u8(id);
    writer_.u32(value);
  }
  void flag(std::uint8_t id, bool value) {
    writer_.u8(id);
    writer_.u8(value ? 1 : 0);
  }
  void varint(std::uint8_t id, std::uint32_t value) {
    NARU_CHECK(value <= remaining_length_limit);
    writer_.u8(id);
    writer_.varint(value);
  }
  void text(std::uint8_t id, std::optional<BytesView> value) {
    if (!value) return;
    writer_.u8(id);
    text(*value);
  }
  void text_unless_empty(std::uint8_t id, BytesView value) {
    if (!value.empty()) text(id, std::optional{value});
  }

 private:
  Bytes& out_;
  ByteWriter writer_;
  std::size_t start_;
};

}  // namespace naru::mqtt

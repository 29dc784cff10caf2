// storage/tables/retained.hpp
//
// The stored form of a retained message: key = topic, value = version 1, the message's version,
// the encoded message. A cleared topic has no row.
//
// Sans-IO; pure.
#pragma once

#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"
#include "storage/kv/batch.hpp"
#include "storage/tables/message.hpp"

namespace naru::storage {

inline void write_retained(Batch& rows, BytesView topic, std::uint64_t version,
                           const MessageRef& message) {
  if (!message) return rows.erase(Family::retained, topic);
  Bytes value;
  ByteWriter writer{value};
  writer.u8(1);
  writer.leb(version);
  writer.bytes(message->encoded());
  rows.put(Family::retained, topic, value);
}

struct RetainedRow {
  std::uint64_t version = 0;
  MessageRef message;
};

// An empty message when the value is not such a row.
inline RetainedRow read_retained(BytesView value) {
  ByteReader in{value};
  const std::uint8_t format = in.u8();
  const std::uint64_t version = in.leb();
  if (!in.ok() || format != 1) return {};
  return {version, Message::decode(Bytes{in.rest()})};
}

}  // namespace naru::storage

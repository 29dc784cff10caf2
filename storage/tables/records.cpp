#include "storage/tables/records.hpp"

namespace naru::storage {

namespace {
constexpr std::uint8_t record_version = 1;
}  // namespace

Bytes encode_record(const Record& record) {
  Bytes head;
  encode_fields(record.head, head);
  Bytes out;
  ByteWriter writer{out};
  writer.u8(record_version);
  writer.block(head);
  encode_variant(record.body, out);
  return out;
}

bool decode_record(BytesView bytes, Record& record) {
  ByteReader in{bytes};
  if (in.u8() != record_version) return false;
  const BytesView head = in.block();
  return in.ok() && decode_fields(head, record.head) && decode_variant(in.rest(), record.body);
}

}  // namespace naru::storage

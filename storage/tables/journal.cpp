#include "storage/tables/journal.hpp"

#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"

namespace naru::storage {

namespace {
constexpr std::uint8_t entry_version = 1;
}  // namespace

Bytes journal_key(std::uint64_t number) {
  Bytes key;
  ByteWriter{key}.u64(number);
  return key;
}

std::uint64_t journal_number(BytesView key) { return ByteReader{key}.u64(); }

BytesView journal_message(BytesView value) {
  ByteReader in{value};
  if (in.u8() != entry_version) return {};
  return in.block();
}

bool decode_journal_entry(BytesView value, JournalEntry& entry) {
  ByteReader in{value};
  if (in.u8() != entry_version) return false;
  entry.message = in.block();
  entry.parts.clear();
  if (!in.ok()) return false;
  Decoder decoder{in.rest()};
  while (decoder.ok() && !decoder.empty()) decoder(entry.parts.emplace_back());
  return decoder.ok();
}

}  // namespace naru::storage

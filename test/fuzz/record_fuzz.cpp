// test/fuzz/record_fuzz.cpp
//
// Goal: no bytes make the decoders of stored rows, records and hops read out of bounds, and what
// decodes encodes to something that decodes to the same.
// Method: the first byte chooses the decoder, the rest is its input.

#include <cstddef>
#include <cstdint>

#include "broker/session/hop.hpp"
#include "storage/base/archive.hpp"
#include "storage/base/check.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/records.hpp"
#include "storage/tables/retained.hpp"
#include "storage/tables/schema.hpp"

namespace naru::storage {
namespace {

template <class Row>
void row(BytesView bytes) {
  Row decoded;
  if (!decode_row(bytes, decoded)) return;
  const Bytes once = encode_row(decoded);
  Row again;
  NARU_CHECK(decode_row(once, again));
  NARU_CHECK(encode_row(again) == once);
}

template <class Variant>
void variant(BytesView bytes) {
  Variant decoded;
  if (!decode_variant(bytes, decoded)) return;
  Bytes once;
  encode_variant(decoded, once);
  Variant again;
  NARU_CHECK(decode_variant(once, again));
  Bytes twice;
  encode_variant(again, twice);
  NARU_CHECK(once == twice);
}

void outbox(BytesView bytes) {
  OutboxRow decoded;
  if (!decode_outbox(bytes, decoded)) return;
  const Bytes once = encode_outbox(decoded);
  OutboxRow again;
  NARU_CHECK(decode_outbox(once, again));
  NARU_CHECK(encode_outbox(again) == once);
}

void message(BytesView bytes) {
  const MessageRef decoded = Message::decode(Bytes{bytes});
  if (!decoded) return;
  const MessageRef again = Message::make(decoded->view());
  NARU_CHECK(again->view().topic == decoded->view().topic);
  NARU_CHECK(again->view().payload == decoded->view().payload);
  NARU_CHECK(again->view().properties == decoded->view().properties);
}

void journal(BytesView bytes) {
  JournalEntry entry;
  const bool known = decode_journal_entry(bytes, entry);
  const BytesView alone = journal_message(bytes);
  if (known) NARU_CHECK(alone == entry.message);
}

}  // namespace
}  // namespace naru::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace naru;
  using namespace naru::storage;
  if (size == 0) return 0;
  const BytesView bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 11) {
    case 0: message(bytes); break;
    case 1: journal(bytes); break;
    case 2: static_cast<void>(read_retained(bytes)); break;
    case 3: row<SessionRow>(bytes); break;
    case 4: row<CursorRow>(bytes); break;
    case 5: outbox(bytes); break;
    case 6: row<CommandRow>(bytes); break;
    case 7: row<StreamRow>(bytes); break;
    case 8: row<StreamMarked>(bytes); break;
    case 9: variant<Body>(bytes); break;
    default: variant<broker::Hop>(bytes); break;
  }
  return 0;
}

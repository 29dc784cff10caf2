// storage/tables/journal.hpp
//
// An entry of the journal: a message once, then what each lane adds to it. The committer puts
// entries together from units (storage/kv/commit_unit.hpp) and numbers them in ascending order.
//
//   entry = version 1, message (with its length), part, part, ... to the end
//   part  = lane, term, index, kind, references
//
// Sans-IO; pure. Views borrow the entry.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/tables/records.hpp"

namespace naru::storage {

enum class PartKind : std::uint8_t {
  enqueued,       // places in queues
  enqueued_once,  // the same, and the origin is remembered
  outbox,         // the message of the outbox row whose id is this position
};

struct JournalPart {
  RecordHead head;
  PartKind kind = PartKind::enqueued;
  std::vector<Reference> references;
  template <class Archive>
  void fields(Archive& a) {
    a(head, kind, references);
  }
};

struct JournalEntry {
  BytesView message;
  std::vector<JournalPart> parts;
};

// Key of the entry with this number.
Bytes journal_key(std::uint64_t number);
std::uint64_t journal_number(BytesView key);

// False when the bytes are not an entry of a version this release knows.
bool decode_journal_entry(BytesView value, JournalEntry& entry);
// The message alone, for whoever delivers it; empty when the bytes are no entry.
BytesView journal_message(BytesView value);

}  // namespace naru::storage

// storage/kv/commit_unit.hpp
//
// What a shard hands to the committer and what comes back. A unit is the durable form of one
// record of one lane, or of one publish to several lanes of a shard: rows of tables and,
// where a message is kept, one entry of the journal.
//
// Sans-IO values. Made by a shard, moved to the committer, answered in the order of submission.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/kv/batch.hpp"

namespace naru::storage {

struct CommitUnit {
  std::uint64_t ticket = 0;  // The shard's own number for it; the committer only hands it back.
  Batch rows;
  // The message of a journal entry; empty where the unit keeps none. Units of one batch that
  // hold the same object share one entry, so a payload is written once however many lanes want it.
  SharedBytes message;
  Bytes parts;         // What each lane adds to the entry (storage/tables/journal.hpp).
  bool urgent = true;  // False: nobody waits for it; it may ride with a later commit.
};

struct CommitOutcome {
  std::uint64_t ticket = 0;
  std::uint64_t journal_number = 0;  // Of the unit's journal entry; 0 where it has none.
  std::optional<Errc> failure;       // Set: nothing of the unit is in the store.
};

}  // namespace naru::storage

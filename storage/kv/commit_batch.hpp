// storage/kv/commit_batch.hpp
//
// CommitBatch turns units into one Batch for the store: one journal entry for each message,
// however many units share it, then the units' rows with the entry's number filled in.
//
//   journal key    entry number, 8 bytes big endian
//   journal value  version (1) | LEB128 length, message | the units' parts, in order
//
// Entry numbers ascend within each source, as its units do: a start reads the journal forwards and
// takes what comes later for newer. So a source whose order differs from that of the sources
// before it writes a message once more instead of going back to an entry it has passed.
//
// Sans-IO. Lives on the committer's thread; used again for every batch so that it stops
// allocating. Holds pointers to the units between add() and clear(): they must stay in place.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

#include "storage/kv/commit_unit.hpp"

namespace naru::storage {

class CommitBatch {
 public:
  // What a unit adds to the batch at most, its message not counted.
  static std::size_t own_bytes(const CommitUnit& unit) {
    return unit.rows.size_bytes() + unit.parts.size();
  }

  // REQUIRES: parts and numbered rows only beside a message: their place is its entry.
  // source: small numbers, from 0.
  void add(const CommitUnit& unit, std::size_t source);

  // Entry numbers begin with `first_number`, in the order of their first units.
  const Batch& encode(std::uint64_t first_number);
  // The entry of the n-th unit added; 0 if it has none. Valid after encode().
  std::uint64_t number_of(std::size_t n) const;

  std::size_t units() const { return units_.size(); }
  std::size_t entries() const { return entry_count_; }
  std::size_t bytes() const { return bytes_; }  // Messages counted once.
  void clear();

 private:
  static constexpr std::size_t no_entry = ~std::size_t{0};

  struct Unit {
    const CommitUnit* unit;
    std::size_t entry;
  };

  std::size_t entry_of(const SharedBytes& message, std::size_t source);
  void put_entries(std::uint64_t first_number);
  void put_rows(const CommitUnit& unit, std::uint64_t number);

  std::vector<Unit> units_;
  std::vector<std::vector<const CommitUnit*>> entries_;  // Lists beyond entry_count_ are spare.
  std::size_t entry_count_ = 0;
  boost::unordered_flat_map<const Bytes*, std::size_t> entry_by_message_;
  std::vector<std::size_t> reached_;  // By source: the least entry its next unit may share.
  std::size_t bytes_ = 0;
  std::uint64_t first_number_ = 0;
  Batch batch_;
  Bytes value_;
};

}  // namespace naru::storage

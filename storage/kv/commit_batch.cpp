// storage/kv/commit_batch.cpp: units in, journal entries and rows out.

#include "storage/kv/commit_batch.hpp"

#include "storage/base/byte_writer.hpp"
#include "storage/base/check.hpp"

namespace naru::storage {
namespace {

constexpr std::uint8_t entry_version = 1;

Bytes& big_endian(std::uint64_t number, Bytes& out) {
  out.clear();
  ByteWriter{out}.u64(number);
  return out;
}

}  // namespace

void CommitBatch::add(const CommitUnit& unit, std::size_t source) {
  bytes_ += own_bytes(unit);
  std::size_t entry = no_entry;
  if (unit.message) {
    entry = entry_of(unit.message, source);
    entries_[entry].push_back(&unit);
  } else {
    NARU_CHECK(unit.parts.empty());
  }
  units_.push_back({&unit, entry});
}

std::size_t CommitBatch::entry_of(const SharedBytes& message, std::size_t source) {
  if (reached_.size() <= source) reached_.resize(source + 1, 0);
  const auto [found, is_new] = entry_by_message_.try_emplace(message.get(), entry_count_);
  if (is_new || found->second < reached_[source]) {
    bytes_ += message->size();
    if (entries_.size() == entry_count_) entries_.emplace_back();
    found->second = entry_count_++;
  }
  reached_[source] = found->second;
  return found->second;
}

const Batch& CommitBatch::encode(std::uint64_t first_number) {
  first_number_ = first_number;
  batch_.clear();
  put_entries(first_number);
  for (const Unit& each : units_) {
    put_rows(*each.unit, each.entry == no_entry ? 0 : first_number + each.entry);
  }
  return batch_;
}

std::uint64_t CommitBatch::number_of(std::size_t n) const {
  return units_[n].entry == no_entry ? 0 : first_number_ + units_[n].entry;
}

void CommitBatch::clear() {
  units_.clear();
  for (std::size_t entry = 0; entry < entry_count_; ++entry) entries_[entry].clear();
  entry_count_ = 0;
  entry_by_message_.clear();
  reached_.clear();
  bytes_ = 0;
  batch_.clear();
}

void CommitBatch::put_entries(std::uint64_t first_number) {
  Bytes key;
  for (std::size_t entry = 0; entry < entry_count_; ++entry) {
    value_.clear();
    ByteWriter writer{value_};
    writer.u8(entry_version);
    writer.block(*entries_[entry].front()->message);
    for (const CommitUnit* unit : entries_[entry]) writer.bytes(unit->parts);
    batch_.put(Family::journal, big_endian(first_number + entry, key), value_);
  }
}

void CommitBatch::put_rows(const CommitUnit& unit, std::uint64_t number) {
  bool numbered = false;
  unit.rows.each([&numbered](const Batch::Change& change) {
    numbered = numbered || change.op == Batch::Op::put_numbered;
  });
  if (!numbered) return batch_.append(unit.rows);

  NARU_CHECK(number != 0);
  unit.rows.each([this, number](const Batch::Change& change) {
    switch (change.op) {
      case Batch::Op::put_numbered:
        NARU_CHECK(change.value.size() >= sizeof number);
        big_endian(number, value_).append(change.value.substr(sizeof number));
        return batch_.put(change.family, change.key, value_);
      case Batch::Op::put: return batch_.put(change.family, change.key, change.value);
      case Batch::Op::erase: return batch_.erase(change.family, change.key);
      case Batch::Op::erase_range:
        return batch_.erase_range(change.family, change.key, change.value);
    }
  });
}

}  // namespace naru::storage

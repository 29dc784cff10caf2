// storage/kv/batch.hpp
//
// Batch is a list of changes to key families that is committed as a whole or not at all.
//
// Sans-IO. Lives on the thread that fills it, then moves to the committer; a value.
// Bounded by the caller. One allocation however many changes: a flat run of
// {op, family, key length, value length, key, value}.
#pragma once

#include <cstdint>
#include <cstring>

#include "storage/base/bytes.hpp"

namespace naru::storage {

// The key families of the store, in the order of storage/tables/schema.hpp.
enum class Family : std::uint8_t {
  journal,   // what was acknowledged, in ascending numbers
  session,   // sessions and their filters
  cursor,    // how far each session's client has acknowledged
  inbound,   // QoS 2 publishes between PUBREC and PUBCOMP, wills on their way out
  retained,  // retained messages by topic
  ledger,    // commands by device
  stream,    // telemetry by lane, stream and offset
  meta,      // node id, format, store time, checkpoints
};
inline constexpr std::size_t family_count = 8;

class Batch {
 public:
  enum class Op : std::uint8_t { put, put_numbered, erase, erase_range };

  struct Change {
    Op op;
    Family family;
    BytesView key;
    BytesView value;  // put: the value; erase_range: the end, exclusive; erase: empty.
  };

  void put(Family family, BytesView key, BytesView value) { add(Op::put, family, key, value); }
  // The first eight bytes of the value are replaced, at commit, by the number of the journal
  // entry that is committed with it (big endian). REQUIRES: value.size() >= 8.
  void put_numbered(Family family, BytesView key, BytesView value) {
    add(Op::put_numbered, family, key, value);
  }
  void erase(Family family, BytesView key) { add(Op::erase, family, key, {}); }
  // Everything from `from` up to but not `to`.
  void erase_range(Family family, BytesView from, BytesView to) {
    add(Op::erase_range, family, from, to);
  }
  void append(const Batch& other) {
    raw_.append(other.raw_);
    count_ += other.count_;
  }
  void clear() {
    raw_.clear();
    count_ = 0;
  }

  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  std::size_t size_bytes() const { return raw_.size(); }

  // Calls visit(const Change&) in order. Views hold until the batch changes.
  template <class Visitor>
  void each(Visitor&& visit) const {
    const char* at = raw_.data();
    const char* const end = at + raw_.size();
    while (at < end) {
      std::uint32_t key_size = 0;
      std::uint32_t value_size = 0;
      std::memcpy(&key_size, at + 2, sizeof key_size);
      std::memcpy(&value_size, at + 6, sizeof value_size);
      const char* const key = at + 10;
      visit(Change{static_cast<Op>(at[0]), static_cast<Family>(at[1]), BytesView{key, key_size},
                   BytesView{key + key_size, value_size}});
      at = key + key_size + value_size;
    }
  }

 private:
  void add(Op op, Family family, BytesView key, BytesView value) {
    char head[10] = {static_cast<char>(op), static_cast<char>(family)};
    const auto key_size = static_cast<std::uint32_t>(key.size());
    const auto value_size = static_cast<std::uint32_t>(value.size());
    std::memcpy(head + 2, &key_size, sizeof key_size);
    std::memcpy(head + 6, &value_size, sizeof value_size);
    raw_.append(head, sizeof head).append(key).append(value);
    ++count_;
  }

  Bytes raw_;
  std::size_t count_ = 0;
};

}  // namespace naru::storage

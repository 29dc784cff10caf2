// storage/kv/kv_store.hpp
//
// KvStore is an ordered map from (family, key) to value that survives what its Durability
// promises. One interface for RocksDB (rocks_kv), the model (mem_kv) and the model that loses
// what was not synced (fault_kv).
//
// Interface between cores and the disk. get() and scan() may be called from any thread at any
// time; commit() from one thread at a time (the committer's). Owned by the composition root;
// must outlive every iterator. Keys compare as unsigned bytes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/kv/batch.hpp"

namespace naru::storage {

enum class Durability : std::uint8_t {
  written,  // Survives a crash of the process, not of the machine.
  synced,   // Survives power loss.
};

enum class Reach : std::uint8_t {
  cache,  // Only memory is looked at; Errc::not_cached when the answer may be on disk.
  disk,
};

// A walk over one family in key order. Sees the store as it was when the walk began.
class KvIterator {
 public:
  virtual ~KvIterator() = default;
  virtual bool valid() const = 0;       // False at the end and after an error; ask status().
  virtual BytesView key() const = 0;    // Until next().
  virtual BytesView value() const = 0;  // Until next().
  virtual void next() = 0;
  virtual Result<void> status() const = 0;
};

class KvStore {
 public:
  virtual ~KvStore() = default;

  virtual Result<std::optional<Bytes>> get(Family family, BytesView key,
                                           Reach reach = Reach::disk) const = 0;
  // One answer a key, in the order of the keys, as get() would give it; `out` is overwritten.
  virtual void get_many(Family family, std::span<const Bytes> keys, Reach reach,
                        std::vector<Result<std::optional<Bytes>>>& out) const {
    out.clear();
    out.reserve(keys.size());
    for (const Bytes& key : keys) out.push_back(get(family, key, reach));
  }
  // From `from` up to but not `to`; an empty `to` means the end of the family.
  virtual std::unique_ptr<KvIterator> scan(Family family, BytesView from, BytesView to) const = 0;

  // All of the batch or nothing, in order. Errc::no_space: nothing happened, it may work later.
  // Any other error: the store must not be written to again in this process.
  virtual Result<void> commit(const Batch& batch, Durability durability) = 0;
};

}  // namespace naru::storage

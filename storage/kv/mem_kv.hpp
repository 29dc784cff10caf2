// storage/kv/mem_kv.hpp
//
// MemKv is KvStore as nothing but ordered maps: the model that says what the others must do, and
// the store of simulations. It survives nothing; Durability makes no difference to it.
//
// Sans-IO. Lives on any thread: one mutex, held for the length of one call; an iterator walks
// a copy that later commits leave alone. Owned by whoever tests. Bounded by memory.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "storage/kv/kv_store.hpp"

namespace naru::storage {

class MemKv final : public KvStore {
 public:
  MemKv();

  Result<std::optional<Bytes>> get(Family family, BytesView key,
                                   Reach reach = Reach::disk) const override;
  std::unique_ptr<KvIterator> scan(Family family, BytesView from, BytesView to) const override;
  Result<void> commit(const Batch& batch, Durability durability) override;

  // Takes over all rows of the other.
  void assign(const MemKv& other);

 private:
  using Rows = std::map<Bytes, Bytes, std::less<>>;

  void apply(const Batch::Change& change);
  Rows& writable(Family family);

  mutable std::mutex mutex_;
  // Shared with iterators; a map somebody else holds is copied before it changes.
  std::array<std::shared_ptr<Rows>, family_count> families_;
};

}  // namespace naru::storage

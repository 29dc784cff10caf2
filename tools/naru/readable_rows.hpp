// tools/naru/readable_rows.hpp
//
// ReadableRows is what can be read of a damaged store: a walk goes on behind what is damaged, and
// what was passed over is kept by its family.
//
//   row row row [block with a wrong checksum] row row
//             |  where? asked further and      ^ here the walk goes on
//             |  further away, then halved
//
// Edge: reads a KvStore, which it holds by reference. Lives on the one thread of naru.
// Bounded by: one row at a time, and one line for each place that is damaged.
#pragma once

#include <string>
#include <vector>

#include "storage/kv/kv_store.hpp"

namespace naru::tools {

class ReadableRows final : public storage::KvStore {
 public:
  struct Damage {
    storage::Family family;
    std::string text;
    bool operator==(const Damage&) const = default;
  };

  explicit ReadableRows(const storage::KvStore& store) : store_(store) {}

  // A row that cannot be read is not there.
  Result<std::optional<Bytes>> get(storage::Family family, BytesView key,
                                   storage::Reach reach = storage::Reach::disk) const override;
  std::unique_ptr<storage::KvIterator> scan(storage::Family family, BytesView from,
                                            BytesView to) const override;
  // Errc::refused.
  Result<void> commit(const storage::Batch& batch, storage::Durability durability) override;

  // Of all reads so far, each once.
  const std::vector<Damage>& damages() const { return damages_; }

 private:
  class Walk;

  void add(storage::Family family, const std::string& text) const;

  const storage::KvStore& store_;
  mutable std::vector<Damage> damages_;
};

}  // namespace naru::tools

#include "storage/tables/meta.hpp"

#include "storage/tables/schema.hpp"

namespace naru::storage {

Result<NodeRow> begin_incarnation(KvStore& store, std::uint64_t fresh_node) {
  const auto kept = store.get(Family::meta, node_key);
  if (!kept) return kept.error();
  NodeRow row;
  row.node = fresh_node;
  if (*kept) {
    if ((*kept)->empty() || (**kept)[0] != 1 || !decode_row(**kept, row)) {
      return Error{Errc::newer, "the store's node row is of a later release; use that release"};
    }
    if (row.format > store_format) {
      return Error{Errc::newer, "the store has format " + std::to_string(row.format) +
                                    ", this release knows up to " + std::to_string(store_format) +
                                    "; use the later release"};
    }
  }
  ++row.incarnation;
  Batch batch;
  batch.put(Family::meta, node_key, encode_row(row));
  const auto committed = store.commit(batch, Durability::synced);
  if (!committed) return committed.error();
  return row;
}

StoreMillis resume_store_time(const TimeRow& kept, WallMillis wall, bool wall_trusted) {
  const bool counts = wall_trusted && kept.wall != 0 && wall > kept.wall;
  return kept.store + (counts ? wall - kept.wall : 0);
}

Result<TimeRow> read_time(const KvStore& store) {
  const auto kept = store.get(Family::meta, time_key);
  if (!kept) return kept.error();
  TimeRow row;
  if (*kept && !decode_row(**kept, row)) {
    return Error{Errc::newer, "the store's time row is of a later release; use that release"};
  }
  return row;
}

}  // namespace naru::storage

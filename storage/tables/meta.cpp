#include "storage/tables/meta.hpp"

#include "storage/tables/schema.hpp"

namespace naru::storage {

Result<NodeRow> next_incarnation(const KvStore& store, std::uint64_t fresh_node) {
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
  return row;
}

Result<NodeRow> begin_incarnation(KvStore& store, std::uint64_t fresh_node) {
  auto row = next_incarnation(store, fresh_node);
  if (!row) return row;
  Batch batch;
  batch.put(Family::meta, node_key, encode_row(*row));
  const auto committed = store.commit(batch, Durability::synced);
  if (!committed) return committed.error();
  return row;
}

StoreMillis resume_store_time(const TimeRow& kept, WallMillis wall, bool wall_trusted) {
  const bool counts = wall_trusted && kept.wall != 0 && wall > kept.wall;
  return kept.store + (counts ? wall - kept.wall : 0);
}

namespace {

// As new where the store has none.
template <class Row>
Result<Row> read_row(const KvStore& store, BytesView key) {
  const auto kept = store.get(Family::meta, key);
  if (!kept) return kept.error();
  Row row;
  if (*kept && !decode_row(**kept, row)) {
    return Error{Errc::newer,
                 "the store's " + Bytes{key} + " row is of a later release; use that release"};
  }
  return row;
}

}  // namespace

Result<TimeRow> read_time(const KvStore& store) { return read_row<TimeRow>(store, time_key); }

Result<BridgesRow> read_bridges(const KvStore& store) {
  return read_row<BridgesRow>(store, bridges_key);
}

bool is_readable_meta(BytesView key, BytesView value) {
  NodeRow node;
  TimeRow time;
  BridgesRow bridges;
  if (key == node_key) return decode_row(value, node) && node.format <= store_format;
  if (key == time_key) return decode_row(value, time);
  return key == bridges_key && decode_row(value, bridges);
}

}  // namespace naru::storage

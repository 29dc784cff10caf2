// tools/naru/store_check.cpp
#include "tools/naru/store_check.hpp"

#include <filesystem>
#include <map>

#include "broker/session/recovery.hpp"
#include "storage/kv/rocks_look.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/schema.hpp"

namespace naru::tools {
namespace {

// A start reads streams from their last mark on; here every record is looked at.
Result<void> check_streams(const storage::KvStore& store, StoreFindings& found) {
  const auto rows = store.scan(storage::Family::stream, {}, {});
  for (; rows->valid(); rows->next()) {
    ByteReader key{rows->key()};
    static_cast<void>(key.u16());
    static_cast<void>(key.bytes(key.u8()));
    if (key.u8() != 'r') continue;
    static_cast<void>(key.u64());
    ++found.stream_records;
    storage::StreamRow row;
    const bool good = key.done() && storage::decode_row(rows->value(), row) && row.message &&
                      storage::Message::decode(Bytes{*row.message}) != nullptr;
    if (!good) ++found.unreadable;
  }
  return rows->status();
}

// Who the node is, its time and its bridges: a start reads each for itself.
Result<void> check_meta(const storage::KvStore& store, StoreFindings& found) {
  const auto rows = store.scan(storage::Family::meta, {}, {});
  for (; rows->valid(); rows->next()) {
    if (!storage::is_readable_meta(rows->key(), rows->value())) ++found.unreadable;
  }
  return rows->status();
}

Result<void> count_rows(const storage::KvStore& store, StoreFindings& found) {
  for (std::size_t n = 0; n < storage::family_count; ++n) {
    const auto rows = store.scan(static_cast<storage::Family>(n), {}, {});
    for (; rows->valid(); rows->next()) ++found.rows;
    const auto status = rows->status();
    if (!status) return status;
  }
  return {};
}

}  // namespace

Result<StoreFindings> check_rows(const storage::KvStore& store) {
  StoreFindings found;
  const auto counted = count_rows(store, found);
  if (!counted) return counted.error();
  std::map<broker::LaneId, broker::LaneState> lanes;
  broker::FilterIndex routes;
  storage::Horizon horizon;
  const broker::RecoveryTarget target{[&lanes](broker::LaneId lane) -> broker::LaneState& {
                                        return lanes.try_emplace(lane, lane).first->second;
                                      },
                                      [](BytesView, std::uint64_t, storage::MessageRef) {}, routes,
                                      horizon};
  const auto read = broker::recover(store, target);
  if (!read) return read.error();
  found.sessions = read->sessions;
  found.queued = read->queued;
  found.retained = read->retained;
  found.journal_entries = read->entries;
  found.missing = read->gaps;
  found.unreadable = read->unreadable;
  const auto streams = check_streams(store, found);
  if (!streams) return streams.error();
  const auto meta = check_meta(store, found);
  if (!meta) return meta.error();
  return found;
}

Result<std::unique_ptr<storage::KvStore>> open_store_at_rest(const std::string& data) {
  storage::RocksOptions options;
  options.directory = data + "/store";
  std::error_code ignored;
  if (!std::filesystem::exists(options.directory, ignored)) {
    return Error{Errc::not_found,
                 "there is no store in " + data + "; name the data directory with --data"};
  }
  auto store = storage::RocksLook::open(options);
  if (!store) return store.error();
  return std::unique_ptr<storage::KvStore>{std::move(*store)};
}

}  // namespace naru::tools

// storage/tables/horizon.hpp
//
// Horizon knows which entries of the journal somebody still needs: those with a place in a queue
// that its client has not acknowledged, with an open outbox, or with an origin that may come
// again. The store asks it whenever it writes files, so nothing in the journal is ever deleted.
//
// Edge: one mutex, because the store asks from its own threads. Changes come from shards.
// Owned by the composition root; must outlive the store.
// Bounded by: one number a session, one row an open outbox.
//
// Safe by order: a session or an outbox is made known before the first entry that names it is
// committed, and passes only after the cursor that says so is on disk.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <tuple>

#include <boost/unordered/unordered_flat_map.hpp>

#include "storage/kv/row_filter.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/records.hpp"

namespace naru::storage {

class Horizon final : public RowFilter {
 public:
  void open_session(std::uint16_t lane, SessionNumber session);
  void pass(std::uint16_t lane, SessionNumber session, std::uint64_t through);
  void end_session(std::uint16_t lane, SessionNumber session);
  void open_outbox(std::uint16_t lane, std::uint64_t id, const Origin& origin);
  void close_outbox(std::uint16_t lane, std::uint64_t id, const Origin& origin);
  // Nothing is droppable before: at a start the tables are not loaded yet.
  void begin();

  bool droppable(Family family, BytesView key, BytesView value) const override;

 private:
  using Name = std::pair<std::uint16_t, std::uint64_t>;
  using OriginName = std::tuple<std::uint64_t, std::uint32_t, std::uint16_t, std::uint64_t>;
  static OriginName name_of(const Origin& origin) {
    return {origin.node, origin.incarnation, origin.shard, origin.number};
  }

  mutable std::mutex mutex_;
  bool begun_ = false;
  boost::unordered_flat_map<Name, std::uint64_t> sessions_;  // -> passed through.
  std::set<Name> outboxes_;
  std::set<OriginName> origins_;
};

}  // namespace naru::storage

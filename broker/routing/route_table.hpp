// broker/routing/route_table.hpp
//
// RouteTable says who wants a topic: connections of clean sessions, persistent sessions in their
// lanes, and rules. One table serves all shards of a node.
//
// Interface of a core. match() may be called by any shard at any time; add() and remove() by any
// shard. FilterIndex is the table of one thread, broker/net/shared_routes.hpp the one for many.
// A row is visible to every match() that begins after add() returned.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/bytes.hpp"

namespace naru::broker {

// One client has at most one row a filter. 24 bytes.
struct Route {
  enum class Kind : std::uint8_t { connection, session, rule };

  std::uint64_t owner = 0;            // ConnectionId, SessionNumber or the place of the rule.
  std::uint32_t subscription_id = 0;  // 0: none.
  std::uint16_t place = 0;            // The connection's shard, the session's lane.
  Kind kind = Kind::connection;
  std::uint8_t options = 0;  // As in SUBSCRIBE.

  bool same_owner(const Route& other) const {
    return kind == other.kind && owner == other.owner && place == other.place;
  }
};

// What a publish matched. Owners repeat only where more than one filter matched.
struct Matches {
  std::vector<Route> routes;
  std::size_t filters = 0;
};

class RouteTable {
 public:
  virtual ~RouteTable() = default;
  // Adds the row, or replaces the owner's row of the same filter. True when it is new.
  virtual bool add(BytesView filter, const Route& route) = 0;
  virtual bool remove(BytesView filter, const Route& owner) = 0;
  // Replaces what `matches` holds.
  virtual void match(BytesView topic, Matches& matches) const = 0;
  virtual std::size_t size() const = 0;
};

}  // namespace naru::broker

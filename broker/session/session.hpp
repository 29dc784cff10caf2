// broker/session/session.hpp
//
// What a lane knows of a client, of its session, and of a message the broker owes: the durable part
// as records made it, and beside it what only the lane's leader needs.
//
// Sans-IO data. Lives on the shard that owns the lane. Owned by LaneState.
// Bounded by: the limits the leader enforces at append.
#pragma once

#include <deque>
#include <memory>
#include <variant>

#include <boost/unordered/unordered_flat_set.hpp>

#include "broker/session/group.hpp"
#include "broker/session/hop.hpp"
#include "broker/session/session_queue.hpp"

namespace naru::broker {

struct Session {
  SessionNumber number = 0;
  Bytes client_id;
  std::vector<storage::FilterRow> filters;
  SessionQueue queue;
  boost::unordered_flat_map<std::uint16_t, std::uint64_t> inbound;  // Packet id -> outbox id.

  // The leader's own, not part of the durable state.
  ConnectionId connection = 0;
  std::uint64_t epoch = 0;
  std::uint16_t window = 0;  // What the client and we let be in flight.
  std::uint8_t cursors_in_flight = 0;
  bool fetching = false, dirty = false;
  boost::unordered_flat_map<std::uint16_t, storage::MessageRef> volatile_inbound;
  boost::unordered_flat_set<std::uint16_t> receiving;        // Inbound ids being committed.
  boost::unordered_flat_map<std::uint64_t, Bytes> commands;  // Queue number -> command id.
  bool filters_in_flight = false;  // A record of them is on its way; what is asked next waits:
  std::deque<std::variant<hop::Subscribe, hop::Unsubscribe>> filter_hops;
  boost::unordered_flat_map<std::uint64_t, GroupPlace> lent;  // Queue number -> whose it is.
  // QoS 2 that it gives back: nobody else may have it before.
  AfterCursor<hop::GroupAnswer> returns;
  std::unique_ptr<Group> group;  // Set where the session is a group's.
};

inline bool has_filter(const Session& session, BytesView filter) {
  return std::ranges::find(session.filters, filter, &storage::FilterRow::filter) !=
         session.filters.end();
}

struct Client {
  storage::SessionRow row;
  std::unique_ptr<Session> session;  // Set exactly when row.number != 0.
};

struct Outbox {
  storage::OutboxRow row;
  std::uint64_t journal_number = 0;
  storage::Origin origin;       // Of its message.
  storage::MessageRef message;  // Of one that is delayed: only while it is published.
  bool releasing = false, publishing = false, published = false;  // Leader: on their way; once.
};

}  // namespace naru::broker

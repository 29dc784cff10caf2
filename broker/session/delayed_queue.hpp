// broker/session/delayed_queue.hpp
//
// DelayedQueue says which of a shard's delayed publishes are due, in what order, and how many each
// client has waiting.
//
// Sans-IO: time goes in, places come out.
// Lives on:   one shard; not thread-safe.
// Owned by:   LaneOutboxes, by value. The publishes themselves are outboxes of their lanes, and
//             their messages lie in the journal.
// Bounded by: max_delayed_messages for each client, and the disk; some 200 bytes for each.
//
//   counted --wait--> waiting --take_due--> taken --pass--> published --landed--> (erased, or
//                                             (read back)                          waits once more)
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "broker/routing/filter_index.hpp"
#include "broker/session/hop_values.hpp"

namespace naru::broker {

class DelayedQueue {
 public:
  struct Place {
    StoreMillis due_at = 0;
    LaneId lane = 0;
    std::uint64_t id = 0;  // Of its outbox.
    bool operator<(const Place& other) const {
      return std::tie(due_at, lane, id) < std::tie(other.due_at, other.lane, other.id);
    }
  };

  // The client has one more, or one less, from when it was accepted until it is published.
  void count(BytesView client_id);
  void discount(BytesView client_id);  // REQUIRES: it was counted.
  std::uint64_t of_client(BytesView client_id) const;
  std::uint64_t size() const { return size_; }

  void wait(const Place& place) { waiting_.insert(place); }
  // The earliest whose time has come. Nothing while delayed_at_once of these have not landed, or
  // before the end of a pause.
  std::optional<Place> take_due(StoreMillis now);
  // Of those taken the first, which the others must not overtake, however long reading it takes.
  std::optional<Place> first_taken() const;
  void pass() { taken_.pop_front(); }  // It goes its way. REQUIRES: first_taken().
  void landed(LaneId lane, std::uint64_t id) { on_their_way_.erase({lane, id}); }
  // One found no room; the others would not find any either.
  void pause(StoreMillis until) { paused_until_ = until; }

 private:
  std::set<Place> waiting_;
  std::deque<Place> taken_;
  std::set<std::pair<LaneId, std::uint64_t>> on_their_way_;  // From take_due() to landed().
  TextMap<std::uint64_t> of_clients_;
  std::uint64_t size_ = 0;
  StoreMillis paused_until_ = 0;
};

}  // namespace naru::broker

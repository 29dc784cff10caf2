// broker/routing/retained_index.hpp
//
// RetainedIndex holds the retained messages of the topics that hash to one shard: the newest
// version of each, found by topic or by filter.
//
// Sans-IO. Lives on the shard; not thread-safe. Owned by ShardCore, by value.
// Bounded by: the disk budget of retained messages. Spec: MQTT 5.0 section 3.3.1.3.
#pragma once

#include <map>

#include "storage/tables/message.hpp"

namespace naru::broker {

struct RetainedMessage {
  std::uint64_t version = 0;    // Ascends with every change of the topic; the newest wins.
  storage::MessageRef message;  // Empty after a clear, until the clear is forgotten.
};

class RetainedIndex {
 public:
  // Takes the message (empty: clears the topic) unless a newer version is there already.
  void put(BytesView topic, RetainedMessage retained);
  const RetainedMessage* find(BytesView topic) const;
  std::size_t size() const { return topics_.size(); }

  // A walk in steps, in the order of topics: of those behind `after` that have no newer version
  // than `until`. Calls visit(message) for every live match, until that returns false or `steps`
  // (more than 0; it counts down) were looked at. Says behind which topic to go on; empty at the
  // end.
  struct Walk {
    BytesView filter, after;
    std::size_t steps = 0;
    std::uint64_t until = ~std::uint64_t{0};
  };
  template <class Visitor>
  Bytes walk(Walk& walk, StoreMillis now, Visitor&& visit) const {
    const BytesView prefix = literal_prefix(walk.filter);
    auto at = walk.after < prefix ? topics_.lower_bound(prefix) : topics_.upper_bound(walk.after);
    bool goes_on = true;
    for (; at != topics_.end() && at->first.starts_with(prefix); ++at) {
      if (walk.steps == 0 || !goes_on) return std::prev(at)->first;
      --walk.steps;
      const auto& [version, message] = at->second;
      if (!message || version > walk.until || message->expired(now)) continue;
      if (matches(walk.filter, at->first)) goes_on = visit(message);
    }
    return {};
  }

  // The topic of one message that has expired, from a round-robin look at `steps` topics.
  // Empty when none of them has.
  Bytes find_expired(StoreMillis now, std::size_t steps);

 private:
  static BytesView literal_prefix(BytesView filter);
  static bool matches(BytesView filter, BytesView topic);

  std::map<Bytes, RetainedMessage, std::less<>> topics_;
  Bytes sweep_from_;
};

}  // namespace naru::broker

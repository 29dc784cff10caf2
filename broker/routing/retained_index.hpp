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

  // Calls visit(message) for every live match, in the order of topics.
  template <class Visitor>
  void match(BytesView filter, StoreMillis now, Visitor&& visit) const {
    const auto fits = [&](const storage::Message& message) {
      return !message.expired(now) && matches(filter, message.view().topic);
    };
    const BytesView prefix = literal_prefix(filter);
    for (auto at = topics_.lower_bound(prefix); at != topics_.end(); ++at) {
      if (!at->first.starts_with(prefix)) break;
      if (at->second.message && fits(*at->second.message)) visit(at->second.message);
    }
  }

  // A walk in steps, in the order of topics: those behind `after`, until `steps` were looked at
  // or `limit` were found. Says behind which topic to go on; empty at the end.
  struct Walk {
    BytesView filter, after;
    std::size_t steps = 0, limit = 0;
  };
  template <class Visitor>
  Bytes walk(Walk walk, StoreMillis now, Visitor&& visit) const {
    const BytesView prefix = literal_prefix(walk.filter);
    auto at = walk.after < prefix ? topics_.lower_bound(prefix) : topics_.upper_bound(walk.after);
    for (; at != topics_.end() && at->first.starts_with(prefix); ++at) {
      if (walk.steps == 0 || walk.limit == 0) return std::prev(at)->first;
      --walk.steps;
      const storage::MessageRef& message = at->second.message;
      if (!message || message->expired(now) || !matches(walk.filter, at->first)) continue;
      visit(*message);
      --walk.limit;
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

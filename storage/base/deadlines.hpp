// storage/base/deadlines.hpp
//
// Deadlines remembers one time per key and says which have come. It holds no timer: the edge that
// owns one asks next() when to wake up.
//
// Sans-IO; the time is handed in. Lives on one thread; a value, owned by the core whose keys they
// are. Bounded by its keys: one entry each, about 50 bytes; set and cancel cost O(log n).
// Keys of the same time come in an order that depends only on the calls made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "storage/base/clock.hpp"

namespace naru {

// The time that does not come: Instant::never(), or the largest number (StoreMillis).
template <class Time>
constexpr Time never_of() {
  if constexpr (requires { Time::never(); }) {
    return Time::never();
  } else {
    return std::numeric_limits<Time>::max();
  }
}

template <class Key, class Time = Instant>
class Deadlines {
 public:
  // Replaces what was set before. A time of never cancels.
  void set(const Key& key, Time at) {
    if (at == never_of<Time>()) return cancel(key);
    const auto [found, added] = slots_.try_emplace(key, std::uint32_t{0});
    if (added) {
      found->second = take_slot(key, heap_.size());
      heap_.push_back({at, found->second});
    }
    const std::size_t place = nodes_[found->second].place;
    heap_[place].at = at;
    settle(place);
  }

  void cancel(const Key& key) {
    const auto found = slots_.find(key);
    if (found == slots_.end()) return;
    remove(found->second);
    slots_.erase(found);
  }

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  bool contains(const Key& key) const { return slots_.contains(key); }
  Time at(const Key& key) const {
    const auto found = slots_.find(key);
    return found == slots_.end() ? never_of<Time>() : heap_[nodes_[found->second].place].at;
  }
  // at() and next() are never where nothing is set.
  Time next() const { return heap_.empty() ? never_of<Time>() : heap_.front().at; }

  // The earliest key whose time has come (at <= now), no longer set then.
  std::optional<Key> take_one_due(Time now) {
    if (heap_.empty() || heap_.front().at > now) return std::nullopt;
    std::optional<Key> key{nodes_[heap_.front().slot].key};
    cancel(*key);
    return key;
  }
  std::vector<Key> take_due(Time now, std::size_t most = std::numeric_limits<std::size_t>::max()) {
    std::vector<Key> due;
    while (due.size() < most && next() <= now && !empty()) due.push_back(*take_one_due(now));
    return due;
  }

 private:
  struct Node {
    Key key;
    std::uint32_t place;  // In heap_; the next free slot while the node is free.
  };
  struct Entry {
    Time at;
    std::uint32_t slot;
  };
  static constexpr std::size_t fanout = 4;  // Flatter than two, and children share a cache line.
  static constexpr std::uint32_t no_slot = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t take_slot(const Key& key, std::size_t place) {
    auto slot = static_cast<std::uint32_t>(nodes_.size());
    if (free_ == no_slot) {
      nodes_.emplace_back();
    } else {
      slot = std::exchange(free_, nodes_[free_].place);
    }
    nodes_[slot] = {key, static_cast<std::uint32_t>(place)};
    return slot;
  }

  void remove(std::uint32_t slot) {
    const std::size_t place = nodes_[slot].place;
    nodes_[slot].place = std::exchange(free_, slot);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    heap_[place] = last;
    settle(place);
  }

  // Moves the entry at `place` up or down to where it belongs.
  void settle(std::size_t place) {
    const Entry moving = heap_[place];
    while (place > 0 && moving.at < heap_[(place - 1) / fanout].at) {
      put(place, heap_[(place - 1) / fanout]);
      place = (place - 1) / fanout;
    }
    while (true) {
      const std::size_t child = earliest_child(place);
      if (child == place || !(heap_[child].at < moving.at)) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, moving);
  }

  std::size_t earliest_child(std::size_t place) const {
    const std::size_t first = place * fanout + 1;
    if (first >= heap_.size()) return place;
    std::size_t best = first;
    for (std::size_t i = first + 1; i < first + fanout && i < heap_.size(); ++i) {
      if (heap_[i].at < heap_[best].at) best = i;
    }
    return best;
  }

  void put(std::size_t place, Entry entry) {
    heap_[place] = entry;
    nodes_[entry.slot].place = static_cast<std::uint32_t>(place);
  }

  std::vector<Entry> heap_;
  std::vector<Node> nodes_;
  std::uint32_t free_ = no_slot;
  boost::unordered_flat_map<Key, std::uint32_t> slots_;
};

}  // namespace naru

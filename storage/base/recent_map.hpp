// storage/base/recent_map.hpp
//
// RecentMap is a map that forgets: it keeps at least the `most` keys put last, and never more than
// twice as many. For notes that may be lost, at a price, but must not grow without end.
//
// Pure; not thread-safe. Pointers are good until the next put.
#pragma once

#include <cstddef>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

namespace naru {

template <class Key, class Value>
class RecentMap {
 public:
  explicit RecentMap(std::size_t most) : most_(most) {}

  bool empty() const { return recent_.empty() && older_.empty(); }
  // nullptr: there is none, or it has been forgotten.
  Value* find(const Key& key) {
    if (empty()) return nullptr;
    if (const auto found = recent_.find(key); found != recent_.end()) return &found->second;
    const auto found = older_.find(key);
    return found == older_.end() ? nullptr : &found->second;
  }
  // The value of that key, made if there is none.
  Value& put(const Key& key) {
    if (Value* const found = find(key)) return *found;
    if (recent_.size() >= most_) older_ = std::exchange(recent_, {});
    return recent_[key];
  }
  void erase(const Key& key) {
    if (recent_.erase(key) == 0) older_.erase(key);
  }

 private:
  boost::unordered_flat_map<Key, Value> recent_, older_;
  std::size_t most_;
};

}  // namespace naru

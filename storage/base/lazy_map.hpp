// storage/base/lazy_map.hpp
//
// LazyMap is a hash map for what most owners never have: one pointer until something is put in,
// where an empty unordered_flat_map takes 48 bytes. There are several for every connection.
//
// Sans-IO. Lives on one thread; a value that moves. Bounded by its user. Once made the map stays.
#pragma once

#include <memory>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

namespace naru {

template <class Key, class Value>
class LazyMap {
 public:
  using Map = boost::unordered_flat_map<Key, Value>;
  using iterator = typename Map::iterator;

  bool empty() const { return !map_ || map_->empty(); }
  std::size_t size() const { return map_ ? map_->size() : 0; }
  bool contains(const Key& key) const { return map_ && map_->contains(key); }
  // An iterator of a map that was never made equals end() and nothing else.
  iterator find(const Key& key) { return map_ ? map_->find(key) : iterator{}; }
  iterator begin() { return map_ ? map_->begin() : iterator{}; }
  iterator end() { return map_ ? map_->end() : iterator{}; }

  Value& operator[](const Key& key) { return made()[key]; }
  template <class... Arguments>
  std::pair<iterator, bool> try_emplace(const Key& key, Arguments&&... arguments) {
    return made().try_emplace(key, std::forward<Arguments>(arguments)...);
  }
  void erase(iterator place) { map_->erase(place); }
  std::size_t erase(const Key& key) { return map_ ? map_->erase(key) : 0; }
  void clear() { map_.reset(); }

 private:
  Map& made() {
    if (!map_) map_ = std::make_unique<Map>();
    return *map_;
  }

  std::unique_ptr<Map> map_;
};

}  // namespace naru

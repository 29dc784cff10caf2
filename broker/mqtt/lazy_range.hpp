// broker/mqtt/lazy_range.hpp
//
// LazyRange is a list inside a packet that is read while one walks over it: a SUBSCRIBE with a
// thousand filters needs no array of a thousand filters.
//
//   for (const SubscribeEntry& entry : subscribe.entries) ...
//
// Sans-IO. Lives on any thread; a value that borrows the packet's bytes. Never allocates.
// Bounded by the packet. Over bytes that nobody validated it ends early, at the first defect.
#pragma once

#include <cstddef>
#include <iterator>

#include "storage/base/byte_reader.hpp"

namespace naru::mqtt {

// read() moves behind one item, or says false when there is none left.
template <class Item, bool (*read)(ByteReader&, Item&)>
class LazyRange {
 public:
  class Iterator {
   public:
    using value_type = Item;
    using difference_type = std::ptrdiff_t;

    explicit Iterator(BytesView raw) : in_(raw) { ++*this; }
    const Item& operator*() const { return item_; }
    const Item* operator->() const { return &item_; }
    Iterator& operator++() {
      more_ = read(in_, item_);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !more_; }

   private:
    ByteReader in_;
    Item item_{};
    bool more_ = false;
  };

  LazyRange() = default;
  explicit LazyRange(BytesView raw) : raw_(raw) {}

  BytesView raw() const { return raw_; }
  Iterator begin() const { return Iterator{raw_}; }
  std::default_sentinel_t end() const { return {}; }
  bool empty() const { return begin() == end(); }
  // Walks.
  std::size_t size() const {
    std::size_t count = 0;
    for (auto at = begin(); at != end(); ++at) ++count;
    return count;
  }

 private:
  BytesView raw_;
};

}  // namespace naru::mqtt

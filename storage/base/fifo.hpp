// storage/base/fifo.hpp
//
// Fifo is a queue in one run of memory: nothing is allocated while it is empty, which matters
// where there is one for every connection (std::deque takes half a kilobyte at once).
//
// Sans-IO. Lives on one thread; a value. Bounded by its user. Front elements that were popped are
// destroyed at once; their room goes when the queue is empty or half of it is room.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace naru {

template <class T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  T& front() { return items_[head_]; }
  T& operator[](std::size_t place) { return items_[head_ + place]; }
  const T& operator[](std::size_t place) const { return items_[head_ + place]; }

  void push_back(T item) { items_.push_back(std::move(item)); }
  void pop_front() {
    items_[head_++] = T{};
    if (empty()) {
      clear();
    } else if (head_ >= keep && head_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void clear() {
    if (items_.capacity() > keep) {
      std::vector<T>{}.swap(items_);
    } else {
      items_.clear();
    }
    head_ = 0;
  }

 private:
  static constexpr std::size_t keep = 64;
  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace naru

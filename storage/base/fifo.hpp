// storage/base/fifo.hpp
//
// Fifo is a queue in one run of memory, a ring that doubles: a pointer while nothing was ever in
// it, which matters where there is one for every connection (std::deque takes half a kilobyte).
//
// Sans-IO. Lives on one thread; a value that moves. Bounded by its user. Front elements that were
// popped are destroyed at once; a run of more than `keep` places goes when the queue is empty.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace naru {

template <class T>
class Fifo {
 public:
  Fifo() = default;
  Fifo(Fifo&& other) noexcept : run_{std::exchange(other.run_, nullptr)} {}
  Fifo& operator=(Fifo&& other) noexcept {
    std::swap(run_, other.run_);
    return *this;
  }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() {
    clear();
    release();
  }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return run_ == nullptr ? 0 : run_->size; }
  T& front() { return *run_->at(0); }
  T& operator[](std::size_t place) { return *run_->at(place); }
  const T& operator[](std::size_t place) const { return *run_->at(place); }

  void push_back(T item) {
    if (run_ == nullptr || run_->size == run_->room) grow();
    std::construct_at(run_->at(run_->size), std::move(item));
    ++run_->size;
  }
  void pop_front() {  // REQUIRES: !empty().
    std::destroy_at(run_->at(0));
    run_->first = (run_->first + 1) & (run_->room - 1);
    if (--run_->size == 0 && run_->room > keep) release();
  }
  void clear() {
    while (!empty()) pop_front();
  }

 private:
  // Its items lie behind it.
  struct Run {
    std::size_t first = 0;
    std::size_t size = 0;
    std::size_t room = 0;  // A power of two.
    T* at(std::size_t place) {
      return reinterpret_cast<T*>(this + 1) + ((first + place) & (room - 1));
    }
  };
  static_assert(alignof(T) <= alignof(Run));
  static constexpr std::size_t keep = 64;
  static constexpr std::size_t least = 4;

  void grow() {
    const std::size_t room = run_ == nullptr ? least : run_->room * 2;
    Run* const larger = new (::operator new(sizeof(Run) + room * sizeof(T))) Run{0, size(), room};
    for (std::size_t i = 0; i < larger->size; ++i) {
      std::construct_at(larger->at(i), std::move(*run_->at(i)));
      std::destroy_at(run_->at(i));
    }
    release();
    run_ = larger;
  }
  // REQUIRES: its items are destroyed.
  void release() { ::operator delete(std::exchange(run_, nullptr)); }

  Run* run_ = nullptr;
};

}  // namespace naru

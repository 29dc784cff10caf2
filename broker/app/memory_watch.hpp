// broker/app/memory_watch.hpp
//
// MemoryWatch says when the process holds more memory than memory_limit allows: then new work is
// refused until there is room again, so that the kernel does not end the process.
//
// Edge: reads /proc, and gives what is free back to the system before it complains. look() on one
// thread at a time; the rest on any thread.
// Owned by Node.
// Bounded by: memory_limit, which is a mark and no wall: what has been taken on goes on. Beyond the
// mark until nine tenths of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/base/clock.hpp"

namespace naru::broker {

class MemoryWatch {
 public:
  struct Source {
    std::function<std::uint64_t()> used;  // Bytes; 0: not known.
    std::function<void()> give_back;      // To the system, what the process has freed.
  };

  // limit: in bytes; 0: nine tenths of what the control group or else the machine has.
  explicit MemoryWatch(std::uint64_t limit);
  MemoryWatch(std::uint64_t limit, Source source);

  // True: is_high() has changed.
  bool look();
  bool is_high() const { return is_high_; }
  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }
  Millis look_every() const;  // More often as the mark comes near.
  std::vector<std::string> problems() const;

 private:
  const std::uint64_t limit_;
  const Source source_;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<bool> is_high_{false};
};

}  // namespace naru::broker

// broker/app/pulse.hpp
//
// Pulse tells which of some threads has stopped answering: each is asked again only when it has
// answered the question before, so one that hangs is named until it moves again.
//
// Edge: counts answers that come from other threads.
// Lives on: round() on one thread, on_answer() on any.
// Owned by: Node, together with the shards it asks. Bounded by: one open question each.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace naru::broker {

class Pulse {
 public:
  explicit Pulse(std::size_t threads);

  // The first that has not answered since the last round. ask(n) sends thread n a question that
  // ends in on_answer(n).
  std::optional<std::size_t> round(const std::function<void(std::size_t)>& ask);
  void on_answer(std::size_t thread) { asked_[thread] = false; }

 private:
  const std::size_t threads_;
  const std::unique_ptr<std::atomic<bool>[]> asked_;
};

}  // namespace naru::broker

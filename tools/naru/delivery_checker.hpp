// tools/naru/delivery_checker.hpp
//
// DeliveryChecker tells whether one subscriber got every message of its publishers once and in
// order, from the mark that each payload begins with.
//
// Sans-IO. Lives on one thread. Owned by: one subscriber of the bench.
// Bounded by: what is missing, one entry each.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::tools {

// What a payload begins with: who sent it, the how-manieth it is (from 1), and when.
struct Mark {
  static constexpr std::size_t size = 20;
  std::uint32_t publisher = 0;
  std::uint64_t number = 0;
  Instant at;
};

// REQUIRES: payload.size() >= Mark::size.
void write_mark(Bytes& payload, const Mark& mark);
std::optional<Mark> read_mark(BytesView payload);

struct DeliveryCounts {
  std::uint64_t received = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t foreign = 0;  // Without a mark, or of a publisher that does not exist.
  std::uint64_t lost = 0;     // Known after lost_of().
};

class DeliveryChecker {
 public:
  explicit DeliveryChecker(std::size_t publishers) : publishers_(publishers) {}

  void on_message(const std::optional<Mark>& mark);
  const DeliveryCounts& counts() const { return counts_; }
  // How many of the messages are still missing; published[i] is what publisher i has sent.
  std::uint64_t lost_of(std::span<const std::uint64_t> published) const;

 private:
  struct From {
    std::uint64_t last = 0;
    std::set<std::uint64_t> missing;  // Below last.
  };

  std::vector<From> publishers_;
  DeliveryCounts counts_;
};

}  // namespace naru::tools

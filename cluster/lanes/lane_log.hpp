// cluster/lanes/lane_log.hpp
//
// LaneLog numbers the records of one lane. Append only reserves an index; commits are applied in
// index order; a failed commit gives the reserved indexes back.
//
// Sans-IO. Lives on the shard that owns the lane; not thread-safe.
// Owned by: the lane, by value. Bounded by: three numbers.
//
//   applied <= reserved; every index in (applied, reserved] is on its way to the disk.
#pragma once

#include <cstdint>

#include "storage/base/check.hpp"

namespace naru::cluster {

// Where a record stands in its lane's log. A term belongs to one leader of the lane, on one node
// to one start of the process, so a position is never given out twice even where the tail of the
// log was lost.
struct LanePosition {
  std::uint32_t term = 0;
  std::uint64_t index = 0;

  bool operator==(const LanePosition&) const = default;
  // One number for both, ascending in (term, index): 24 bits of term, 40 bits of index.
  std::uint64_t packed() const { return std::uint64_t{term} << 40 | index; }
};

class LaneLog {
 public:
  LaneLog() = default;
  LaneLog(std::uint32_t term, std::uint64_t applied)
      : term_(term), applied_(applied), reserved_(applied) {}

  std::uint32_t term() const { return term_; }
  std::uint64_t applied() const { return applied_; }
  std::uint64_t reserved() const { return reserved_; }

  // Where the next record will stand.
  LanePosition next() const { return {term_, reserved_ + 1}; }
  LanePosition reserve() {
    NARU_CHECK(reserved_ < (std::uint64_t{1} << 40) - 1);
    return {term_, ++reserved_};
  }
  // True when the record is the next one; false when it was applied before and changes nothing.
  // Each term counts from 1: what the one before had reserved and lost leaves no hole.
  bool advance(LanePosition at) {
    if (at.term < term_ || (at.term == term_ && at.index <= applied_)) return false;
    if (at.term > term_) *this = LaneLog{at.term, 0};
    NARU_CHECK(at.index == applied_ + 1);
    applied_ = at.index;
    if (reserved_ < applied_) reserved_ = applied_;
    return true;
  }
  // Everything reserved and not applied has failed.
  void rewind() { reserved_ = applied_; }

 private:
  std::uint32_t term_ = 0;
  std::uint64_t applied_ = 0;
  std::uint64_t reserved_ = 0;
};

}  // namespace naru::cluster

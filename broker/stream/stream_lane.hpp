// broker/stream/stream_lane.hpp
//
// StreamLane is what one lane knows of one stream: where its log ends, and the sequence of each
// key. The records themselves lie in the store.
//
// Sans-IO. Lives on the lane's shard; not thread-safe. Owned by LaneState, by value.
// Bounded by: keys per stream (option keys_max) and one time mark a minute of retention.
#pragma once

#include <deque>

#include "broker/routing/filter_index.hpp"
#include "storage/base/clock.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

class StreamLane {
 public:
  // Leader: the place of the next record. REQUIRES: it is appended, or everything is rewound.
  struct Place {
    std::uint64_t offset = 0;
    std::uint64_t sequence = 0;
  };
  Place reserve(BytesView key);
  void rewind();
  bool knows(BytesView key) const { return keys_.contains(key); }
  std::size_t keys() const { return keys_.size(); }

  // Durable side. Records come in the order of offsets; older ones change nothing.
  void apply(const storage::StreamAppended& record, WallMillis received_at);
  void apply(const storage::StreamTrimmed& trim);
  void apply(const storage::StreamMarked& mark);

  // At a start: the oldest record that is there.
  void load_first(std::uint64_t offset, WallMillis received_at);

  std::uint64_t first() const { return first_; }      // The oldest offset that is kept.
  std::uint64_t end() const { return applied_ + 1; }  // One behind the newest that is on disk.
  std::uint64_t records() const { return end() - first_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t marked() const { return marked_; }

  // The first offset to keep so that everything younger than `since` stays; first() when
  // nothing may go.
  std::uint64_t trim_point(WallMillis since) const;
  // Where a reader that wants `since` and later has to begin; it may get a few older ones.
  std::uint64_t seek(WallMillis since) const;

  // Stands for no more than `most`; what lies behind it is read at a start.
  storage::StreamMarked mark(BytesView stream, std::uint64_t most = ~std::uint64_t{0}) const;

 private:
  struct Sequence {
    std::uint64_t applied = 0;
    std::uint64_t reserved = 0;
  };
  struct TimeMark {
    std::uint64_t offset = 0;
    WallMillis received_at = 0;
  };

  TextMap<Sequence> keys_;
  std::deque<TimeMark> times_;
  std::uint64_t first_ = 1;
  std::uint64_t applied_ = 0;
  std::uint64_t reserved_ = 0;
  std::uint64_t marked_ = 0;
  std::uint64_t bytes_ = 0;  // Appended since the start of the process or loaded then.
};

}  // namespace naru::broker

// broker/session/lane_streams.hpp
//
// LaneStreams appends to the streams in the lanes of this shard, marks how far they are, trims them
// and keeps the cursors of named consumers.
//
// Sans-IO. Lives on one shard. Owned by LaneParts.
// Bounded by: the retention of each stream, and what the disk has room for.
#pragma once

#include "broker/session/lane_context.hpp"

namespace naru::broker {

class LaneOrigins;

class LaneStreams {
 public:
  LaneStreams(LaneContext& context, LaneOrigins& origins) : context_(context), origins_(origins) {}

  void on(hop::StreamAppend& append);
  void appended(LaneState& lane, const storage::StreamAppended& record);  // Committed.
  void enforce_retention(BytesView stream, WallMillis keep_since);
  // So that the next start reads little; then nothing more is appended.
  void mark_all();
  void put_consumer(BytesView stream, BytesView consumer, BytesView cursor, std::uint64_t request);

 private:
  LaneContext& context_;
  LaneOrigins& origins_;
};

}  // namespace naru::broker

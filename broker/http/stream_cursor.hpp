// broker/http/stream_cursor.hpp
//
// StreamCursor is where a reader of a stream stands: the next offset of each lane. Outside it is a
// token that nobody needs to look into and that fits its own stream only.
//
// Sans-IO; a value. Lives on any thread. Bounded by one offset a lane.
//
// Token (version 1), in base64url: version, {lane, next offset} of each lane that has been read
// from, lanes ascending, checksum over the stream's name and all before it. It is kept by readers
// and in ConsumerPut, so a version that was released is understood for ever.
#pragma once

#include <array>
#include <cstdint>

#include "cluster/lanes/lane_id.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

struct StreamCursor {
  std::array<std::uint64_t, cluster::lane_count> next;

  StreamCursor() { next.fill(1); }  // The earliest record there can be.
  bool operator==(const StreamCursor&) const = default;
};

Bytes encode_cursor(BytesView stream, const StreamCursor& cursor);
Result<StreamCursor> decode_cursor(BytesView stream, BytesView token);

}  // namespace naru::broker

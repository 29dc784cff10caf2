// broker/http/stream_page.hpp
//
// Reads one page of a stream from the store: the lanes' logs merged by the time of receipt, so
// that people read them as they came. Within a lane, and so for each key, offsets only ascend.
//
// Edge of the reader thread: calls KvStore, nothing else. Owns nothing.
// Bounded by: PageRequest::limit records, page_bytes_max of JSON (one record at least), and
//             page_rows_max rows looked at, so that the reader thread has time for others.
#pragma once

#include <vector>

#include "broker/http/json_text.hpp"
#include "broker/http/stream_cursor.hpp"
#include "storage/base/clock.hpp"
#include "storage/kv/kv_store.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

inline constexpr std::size_t page_bytes_max = 4u << 20;
inline constexpr std::size_t page_rows_max = 20'000;

// What a lane has of a stream at one moment, all of it committed.
struct LaneSpan {
  std::uint64_t first = 1;
  std::uint64_t end = 1;    // One behind the newest.
  std::uint64_t since = 1;  // Where to begin for the time that was asked for.
};
using StreamSpans = std::array<LaneSpan, cluster::lane_count>;

// The cursor with every lane inside its span: what is gone is skipped; and an offset the lane
// never came to belongs to a store that was lost, so all that there is now is new.
StreamCursor clamp(const StreamCursor& cursor, const StreamSpans& spans);
std::uint64_t records_behind(const StreamCursor& cursor, const StreamSpans& spans);

struct PageRequest {
  Bytes stream;
  StreamCursor from;  // Inside the spans.
  StreamSpans spans;
  WallMillis since = 0;  // Records received before do not count.
  std::size_t limit = 100;
};

struct Page {
  std::vector<Bytes> records;  // JSON texts.
  StreamCursor next;
  bool more = false;  // There is something between `next` and the spans' ends.
  std::optional<Error> failure;
};

Page read_page(const storage::KvStore& store, const PageRequest& request);

struct RecordPlace {
  BytesView stream;
  cluster::LaneId lane = 0;
  std::uint64_t offset = 0;
};
// Nothing where its message is not one this release can read.
std::optional<Json> record_json(const RecordPlace& place, const storage::StreamRow& row);

}  // namespace naru::broker

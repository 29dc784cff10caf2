#include "broker/http/stream_page.hpp"

#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "broker/stream/rule.hpp"
#include "storage/base/byte_reader.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

namespace {

using storage::Family, storage::Message, storage::MessageRef, storage::StreamRow;

// One lane on its way through the stream, standing at a record or at its end.
class LaneWalk {
 public:
  LaneWalk(const storage::KvStore& store, const PageRequest& request, cluster::LaneId lane)
      : lane_(lane),
        next_(request.from.next[lane]),
        end_(request.spans[lane].end),
        since_(request.since),
        at_(store.scan(Family::stream, storage::stream_key(lane, request.stream, next_),
                       storage::stream_key(lane, request.stream, end_))) {}

  // Stands at the next record that counts. `rows` is what may still be looked at.
  void settle(std::size_t& rows) {
    standing_ = false;
    for (; at_->valid() && rows != 0; at_->next()) {
      --rows;
      const BytesView key = at_->key();
      ByteReader offset{key.substr(key.size() - std::min<std::size_t>(key.size(), 8))};
      offset_ = offset.u64();
      if (storage::decode_row(at_->value(), row_) && row_.message) {
        message_ = Message::decode(*row_.message);
        standing_ = message_ && message_->view().stamp.received_at >= since_;
      }
      if (standing_) return;
      next_ = offset_ + 1;
    }
    // Rows that are missing at the end were trimmed while we read.
    if (!at_->valid() && at_->status()) next_ = end_;
  }
  void pass(std::size_t& rows) {
    next_ = offset_ + 1;
    at_->next();
    settle(rows);
  }

  bool standing() const { return standing_; }
  bool finished() const { return next_ >= end_; }
  WallMillis received_at() const { return message_->view().stamp.received_at; }
  cluster::LaneId lane() const { return lane_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t next() const { return next_; }
  const StreamRow& row() const { return row_; }
  Result<void> status() const { return at_->status(); }

 private:
  cluster::LaneId lane_;
  std::uint64_t next_;
  std::uint64_t end_;
  WallMillis since_;
  std::unique_ptr<storage::KvIterator> at_;
  bool standing_ = false;
  std::uint64_t offset_ = 0;
  StreamRow row_;
  MessageRef message_;
};

using Walks = std::vector<std::unique_ptr<LaneWalk>>;

Walks begin_walks(const storage::KvStore& store, const PageRequest& request, std::size_t& rows) {
  Walks walks;
  for (cluster::LaneId lane = 0; lane < cluster::lane_count; ++lane) {
    if (request.from.next[lane] >= request.spans[lane].end) continue;
    walks.push_back(std::make_unique<LaneWalk>(store, request, lane));
    walks.back()->settle(rows);
  }
  return walks;
}

// The earliest on top of the heap.
bool later(const LaneWalk* a, const LaneWalk* b) {
  return std::pair{a->received_at(), a->lane()} > std::pair{b->received_at(), b->lane()};
}

// Takes records off the lanes, earliest first, until the page is full.
void merge(const Walks& walks, const PageRequest& request, std::size_t& rows, Page& page) {
  std::vector<LaneWalk*> heap;
  for (const auto& walk : walks) {
    if (walk->standing()) heap.push_back(walk.get());
  }
  std::ranges::make_heap(heap, later);
  std::size_t bytes = 0;
  while (!heap.empty() && page.records.size() < request.limit) {
    std::ranges::pop_heap(heap, later);
    LaneWalk& walk = *heap.back();
    const auto json = record_json({request.stream, walk.lane(), walk.offset()}, walk.row());
    Bytes text = json ? dump(*json) : Bytes{};
    if (bytes + text.size() > page_bytes_max && !page.records.empty()) break;
    bytes += text.size();
    if (json) page.records.push_back(std::move(text));
    walk.pass(rows);
    // A lane that could not be looked at further might come first: the page ends here.
    if (rows == 0 && !walk.finished()) break;
    if (walk.standing()) {
      std::ranges::push_heap(heap, later);
    } else {
      heap.pop_back();
    }
  }
}

}  // namespace

StreamCursor clamp(const StreamCursor& cursor, const StreamSpans& spans) {
  StreamCursor inside;
  for (std::size_t lane = 0; lane < spans.size(); ++lane) {
    const std::uint64_t next = cursor.next[lane];
    const bool unknown = next < spans[lane].first || next > spans[lane].end;
    inside.next[lane] = unknown ? spans[lane].first : next;
  }
  return inside;
}

std::uint64_t records_behind(const StreamCursor& cursor, const StreamSpans& spans) {
  const StreamCursor inside = clamp(cursor, spans);
  std::uint64_t behind = 0;
  for (std::size_t lane = 0; lane < spans.size(); ++lane) {
    behind += spans[lane].end - inside.next[lane];
  }
  return behind;
}

Page read_page(const storage::KvStore& store, const PageRequest& request) {
  Page page;
  page.next = request.from;
  std::size_t rows = page_rows_max;
  const Walks walks = begin_walks(store, request, rows);
  const bool all_settled = rows != 0 || std::ranges::all_of(walks, [](const auto& walk) {
                             return walk->standing() || walk->finished();
                           });
  if (all_settled) merge(walks, request, rows, page);
  for (const auto& walk : walks) {
    page.next.next[walk->lane()] = walk->next();
    if (!walk->finished()) page.more = true;
    if (const auto status = walk->status(); !status) page.failure = status.error();
  }
  return page;
}

std::optional<Json> record_json(const RecordPlace& place, const StreamRow& row) {
  const MessageRef message = row.message ? Message::decode(*row.message) : nullptr;
  if (!message) return std::nullopt;
  const storage::MessageView& view = message->view();
  Json json;
  json["stream"] = place.stream;
  json["key"] = row.key;
  json["sequence"] = row.sequence;
  json["lane"] = place.lane;
  json["offset"] = place.offset;
  json["received_at"] = view.stamp.received_at;
  json["client_id"] = view.sender;
  json["epoch"] = view.stamp.epoch;
  json["publish"] = view.stamp.publish;
  json["topic"] = view.topic;
  add_payload(json, view.payload);
  if (row.note != 0) {
    json["note"] = name(static_cast<StreamNote>(row.note));
    json["note_text"] = row.note_text;
  }
  return json;
}

}  // namespace naru::broker

#include "broker/stream/stream_lane.hpp"

#include <algorithm>

namespace naru::broker {

namespace {
constexpr WallMillis time_mark_every = 60'000;
}  // namespace

StreamLane::Place StreamLane::reserve(BytesView key) {
  auto found = keys_.find(key);
  if (found == keys_.end()) found = keys_.emplace(Bytes{key}, Sequence{}).first;
  return {++reserved_, ++found->second.reserved};
}

void StreamLane::rewind() {
  reserved_ = applied_;
  for (auto& [key, sequence] : keys_) sequence.reserved = sequence.applied;
}

void StreamLane::apply(const storage::StreamAppended& record, WallMillis received_at) {
  if (record.offset <= applied_) return;
  applied_ = record.offset;
  reserved_ = std::max(reserved_, applied_);
  auto found = keys_.find(record.row.key);
  if (found == keys_.end()) found = keys_.emplace(record.row.key, Sequence{}).first;
  Sequence& sequence = found->second;
  sequence.applied = std::max(sequence.applied, record.row.sequence);
  sequence.reserved = std::max(sequence.reserved, sequence.applied);
  bytes_ += record.row.key.size() + (record.row.message ? record.row.message->size() : 0);
  if (times_.empty() || received_at >= times_.back().received_at + time_mark_every) {
    times_.push_back({record.offset, received_at});
  }
}

void StreamLane::apply(const storage::StreamTrimmed& trim) {
  first_ = std::max(first_, trim.first_offset);
  while (times_.size() > 1 && times_[1].offset <= first_) times_.pop_front();
}

void StreamLane::apply(const storage::StreamMarked& mark) {
  marked_ = std::max(marked_, mark.offset);
  first_ = std::max(first_, mark.first_offset);
  if (mark.offset <= applied_) return;
  applied_ = mark.offset;
  reserved_ = std::max(reserved_, applied_);
  for (const storage::KeySequence& each : mark.keys) {
    Sequence& sequence = keys_[each.key];
    sequence.applied = std::max(sequence.applied, each.sequence);
    sequence.reserved = std::max(sequence.reserved, sequence.applied);
  }
}

void StreamLane::load_first(std::uint64_t offset, WallMillis received_at) {
  first_ = std::max(first_, offset);
  times_.push_back({offset, received_at});
}

std::uint64_t StreamLane::trim_point(WallMillis since) const {
  // A mark dates everything before the next mark: what precedes the last mark that is too old
  // is older still.
  std::uint64_t point = first_;
  for (std::size_t i = 1; i < times_.size() && times_[i].received_at < since; ++i) {
    point = std::max(point, times_[i].offset);
  }
  if (!times_.empty() && times_.back().received_at + time_mark_every < since) point = end();
  return point;
}

std::uint64_t StreamLane::seek(WallMillis since) const {
  std::uint64_t point = first_;
  for (const TimeMark& mark : times_) {
    if (mark.received_at >= since) break;
    point = std::max(point, mark.offset);
  }
  return point;
}

storage::StreamMarked StreamLane::mark(BytesView stream, std::uint64_t most) const {
  storage::StreamMarked mark{Bytes{stream}, std::min(applied_, most), first_, {}};
  mark.keys.reserve(keys_.size());
  for (const auto& [key, sequence] : keys_) {
    if (sequence.applied != 0) mark.keys.push_back({key, sequence.applied});
  }
  std::ranges::sort(mark.keys, {}, &storage::KeySequence::key);
  return mark;
}

}  // namespace naru::broker

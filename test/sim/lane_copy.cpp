#include "test/sim/lane_copy.hpp"

#include <algorithm>
#include <set>

#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"
#include "storage/kv/commit_batch.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/schema.hpp"

namespace naru::test {

using namespace storage;  // NOLINT: records and rows are the vocabulary of this file.
using namespace broker;   // NOLINT: so are lanes.

namespace {

std::vector<LaneState> empty_lanes() {
  std::vector<LaneState> lanes;
  for (LaneId lane = 0; lane < cluster::lane_count; ++lane) lanes.emplace_back(lane);
  return lanes;
}

std::vector<Bytes> digests_of(const std::vector<LaneState>& lanes) {
  std::vector<Bytes> digests;
  for (const LaneState& lane : lanes) digests.push_back(lane.digest());
  return digests;
}

}  // namespace

Record decoded(BytesView record) {
  Record read;
  NARU_CHECK(decode_record(record, read));
  return read;
}

MessageRef message_of(const Record& record) {
  SharedBytes bytes;
  if (const auto* enqueued = std::get_if<Enqueued>(&record.body)) bytes = enqueued->message;
  if (const auto* outbox = std::get_if<OutboxPut>(&record.body)) bytes = outbox->message;
  if (const auto* delayed = std::get_if<DelayedPut>(&record.body)) bytes = delayed->message;
  if (const auto* appended = std::get_if<StreamAppended>(&record.body)) {
    bytes = appended->row.message;
  }
  return bytes ? Message::decode(*bytes) : nullptr;
}

StateCopy::StateCopy() : lanes_(empty_lanes()) {}

void StateCopy::apply(BytesView bytes) {
  const Record record = decoded(bytes);
  Effects effects;
  lanes_[record.head.lane].apply(record, 1, message_of(record), effects);
}

void StateCopy::forget_what_cannot_come_again() {
  std::set<Origin, OriginLess> owed;
  for (LaneState& lane : lanes_) {
    for (const auto& [id, outbox] : lane.outboxes()) owed.insert(outbox.message->view().origin);
  }
  for (LaneState& lane : lanes_) {
    std::vector<Origin> gone;
    for (const Seen& step : lane.seen()) {
      if (!owed.contains(step.origin)) gone.push_back(step.origin);
    }
    for (const Origin& origin : gone) {
      const auto at = lane.log().next();
      Record record{{lane.lane(), at.term, at.index}, {}};
      record.body = OriginForgotten{origin.node, origin.incarnation, origin.shard, origin.number};
      apply(encode_record(record));
    }
  }
}

std::vector<Bytes> StateCopy::digests() const { return digests_of(lanes_); }

void StoreCopy::write(BytesView record) {
  CommitUnit unit;
  write_record(decoded(record), unit);
  CommitBatch batch;
  batch.add(unit, 0);
  NARU_CHECK(store_.commit(batch.encode(next_number_), Durability::synced).has_value());
  next_number_ += batch.entries();
}

std::vector<Bytes> ReadBack::digests() const { return digests_of(lanes); }

ReadBack read_back(const KvStore& store) {
  ReadBack read{empty_lanes(), {}};
  FilterIndex routes;
  Horizon horizon;
  const RecoveryTarget target{[&](LaneId lane) -> LaneState& { return read.lanes[lane]; },
                              [](BytesView, std::uint64_t, const MessageRef&) {}, routes, horizon};
  const auto recovered = recover(store, target);
  NARU_CHECK(recovered.has_value());
  read.recovered = *recovered;
  return read;
}

Rows rows_of_lanes(const KvStore& store) {
  Rows rows;
  for (const Family family : {Family::session, Family::cursor, Family::ledger, Family::stream}) {
    for (auto at = store.scan(family, {}, {}); at->valid(); at->next()) {
      rows[{family, Bytes{at->key()}}] = Bytes{at->value()};
    }
  }
  for (auto at = store.scan(Family::inbound, {}, {}); at->valid(); at->next()) {
    Bytes value{at->value()};
    if (!value.empty()) {  // A release has no value.
      const auto entry = store.get(Family::journal, BytesView{value}.substr(0, 8));
      NARU_CHECK(entry.has_value());
      value.replace(0, 8, *entry ? journal_message(**entry) : BytesView{"no entry"});
    }
    rows[{Family::inbound, Bytes{at->key()}}] = value;
  }
  return rows;
}

JournalOfLanes journal_of_lanes(const KvStore& store) {
  JournalOfLanes lanes;
  std::set<std::pair<LaneId, Bytes>> known;
  for (auto at = store.scan(Family::journal, {}, {}); at->valid(); at->next()) {
    JournalEntry entry;
    NARU_CHECK(decode_journal_entry(at->value(), entry));
    for (const JournalPart& part : entry.parts) {
      Bytes line{entry.message};
      encode_fields(part, line);
      if (known.emplace(part.head.lane, line).second) lanes[part.head.lane].push_back(line);
    }
  }
  return lanes;
}

}  // namespace naru::test

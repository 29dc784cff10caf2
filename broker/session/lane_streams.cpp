#include "broker/session/lane_streams.hpp"

#include <algorithm>
#include <utility>

#include "broker/session/lane_origins.hpp"
#include "broker/stream/rule.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr std::uint64_t mark_every = 4'096;  // Records of a stream between two marks.
}  // namespace

void LaneStreams::on(hop::StreamAppend& append) {
  LaneState& lane = context_.led(append.lane);
  const MessageRef& message = append.message.message;
  if (append.once && lane.has_seen({message->view().origin, append.stream})) {
    ++context_.counters.repeated;
    return context_.units.accept(append.reply);
  }
  if (!context_.room.streams) ++context_.counters.refused_disk_full;
  if (!context_.room.streams || (context_.units.is_behind_failed(append.reply))) {
    return context_.units.refuse(append.reply);
  }
  const auto most = context_.settings.stream_keys.find(append.stream);
  if (most != context_.settings.stream_keys.end() &&
      !lane.stream(append.stream).knows(append.key) &&
      lane.stream(append.stream).keys() >= most->second) {
    append.note = static_cast<std::uint8_t>(StreamNote::too_many_keys);
    append.note_text = append.stream + ": " + append.key;
    append.stream = dead_letter_stream;
    append.key.clear();
    ++context_.counters.dead_letters;
  }
  const StreamLane::Place place = lane.stream(append.stream).reserve(append.key);
  StreamAppended body;
  body.stream = std::move(append.stream);
  body.offset = place.offset;
  body.row = {std::move(append.key), place.sequence, append.note, std::move(append.note_text),
              Message::encoded_of(message)};
  body.once = append.once;
  if (append.once) origins_.note(message->view().origin, lane.lane());
  UnitDraft unit{context_.units};
  unit.add(lane, std::move(body), message);
  unit.reply(append.reply);
  unit.submit(append.reply.number != 0);
}

void LaneStreams::appended(LaneState& lane, const StreamAppended& record) {
  ++context_.counters.stream_records;
  StreamLane& stream = lane.stream(record.stream);
  const std::uint64_t enough = stream.marked() + mark_every;
  if (record.offset < enough || lane.markable(record.stream) < enough) return;
  UnitDraft unit{context_.units};
  unit.add(lane, stream.mark(record.stream, lane.markable(record.stream)));
  unit.submit(false);
}

void LaneStreams::enforce_retention(BytesView stream, WallMillis keep_since) {
  context_.each_lane([&](LaneState& lane) {
    const auto found = lane.streams().find(stream);
    if (found == lane.streams().end()) return;
    const std::uint64_t most = lane.markable(stream);
    const std::uint64_t point = std::min(found->second.trim_point(keep_since), most + 1);
    if (point <= found->second.first()) return;
    UnitDraft unit{context_.units};
    unit.add(lane, StreamTrimmed{Bytes{stream}, point});
    storage::StreamMarked mark = found->second.mark(stream, most);
    mark.first_offset = point;
    unit.add(lane, std::move(mark));
    unit.submit(false);
  });
}

void LaneStreams::mark_all() {
  context_.each_lane([&](LaneState& lane) {
    UnitDraft unit{context_.units};
    for (const auto& [name, stream] : lane.streams()) {
      const std::uint64_t most = lane.markable(name);
      if (most > stream.marked()) unit.add(lane, stream.mark(name, most));
    }
    unit.submit(true);
  });
}

void LaneStreams::put_consumer(BytesView stream, BytesView consumer, BytesView cursor,
                               std::uint64_t request) {
  LaneState& lane = context_.led(cluster::lane_of(consumer));
  UnitDraft unit{context_.units};
  unit.add(lane, ConsumerPut{Bytes{stream}, Bytes{consumer}, Bytes{cursor}});
  unit.request(request);
  unit.submit(true);
}

}  // namespace naru::broker

// storage/tables/records.hpp
//
// The records of a lane: every durable change there is. A record carries the outcome of a
// decision the lane's leader made, never a question; applying it matches, counts and compares
// nothing.
//
// Sans-IO values. Frozen: a released body never changes; a new shape is a new kind at the end of
// Body. Golden bytes of each are in test/storage/tables/golden.txt.
#pragma once

#include <variant>

#include "storage/tables/command_records.hpp"
#include "storage/tables/outbox_records.hpp"
#include "storage/tables/session_records.hpp"
#include "storage/tables/stream_records.hpp"

namespace naru::storage {

struct RecordHead {
  std::uint16_t lane = 0;
  std::uint32_t term = 0;
  std::uint64_t index = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, term, index);
  }
};

// The tag of a record is the place of its body here. Append only.
using Body = std::variant<SessionPut, SessionErased, FiltersPut, FiltersErased, Enqueued, CursorPut,
                          OutboxPut, OutboxReleased, OutboxErased, OriginForgotten, CommandPut,
                          CommandErased, StreamAppended, StreamTrimmed, StreamMarked, ConsumerPut,
                          DelayedPut>;

// Origin and stamp of a record are those of the message it carries, encoded inside it.
struct Record {
  RecordHead head;
  Body body;
};

Bytes encode_record(const Record& record);
bool decode_record(BytesView bytes, Record& record);

}  // namespace naru::storage

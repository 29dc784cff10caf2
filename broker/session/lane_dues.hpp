// broker/session/lane_dues.hpp
//
// LaneDues remembers what has to be done in the lanes of one shard when a time has come: sessions
// that expire, wills, commands that nobody answered, messages to be published once more.
//
// Sans-IO: store time goes in. Lives on one shard. Owned by LaneContext, by value.
// Bounded by: one for each session, will, command and outbox that waits.
#pragma once

#include <optional>

#include "broker/session/hop_values.hpp"
#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"
#include "storage/base/deadlines.hpp"

namespace naru::broker {

enum class DueKind : char { expiry = 'e', will = 'w', command = 'c', outbox = 'o' };

struct Due {
  DueKind kind = DueKind::expiry;
  LaneId lane = 0;
  Bytes name;  // Of a client, a command or an outbox.
};

class LaneDues {
 public:
  // Replaces what was set for the same thing; never_of<StoreMillis>() takes it away.
  void set(DueKind kind, LaneId lane, BytesView name, StoreMillis at) {
    dues_.set(key_of(kind, lane, name), at);
  }
  void cancel(DueKind kind, LaneId lane, BytesView name) { dues_.cancel(key_of(kind, lane, name)); }
  // The next whose time has come.
  std::optional<Due> take(StoreMillis now) {
    const auto key = dues_.take_one_due(now);
    if (!key) return std::nullopt;
    ByteReader in{*key};
    const auto kind = static_cast<DueKind>(in.u8());
    const LaneId lane = in.u16();
    return Due{kind, lane, Bytes{in.rest()}};
  }

 private:
  static Bytes key_of(DueKind kind, LaneId lane, BytesView name) {
    Bytes key{static_cast<char>(kind)};
    ByteWriter writer{key};
    writer.u16(lane);
    writer.bytes(name);
    return key;
  }

  Deadlines<Bytes, StoreMillis> dues_;
};

}  // namespace naru::broker

// broker/session/pending_unit.hpp
//
// What a lane's leader remembers of a unit on its way to the disk: the records to apply, and what
// to say when it has come back; and what it has to come back to itself.
//
// Sans-IO values. Owned by LaneUnits. Bounded by the fronts' back-pressure.
#pragma once

#include <vector>

#include "broker/session/hop.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

struct PendingRecord {
  storage::Record record;
  storage::MessageRef message;
};
struct PendingReply {
  std::uint16_t shard = 0;
  Hop on_success;
  Hop on_failure;
};
struct PendingUnit {
  std::vector<PendingRecord> records;
  std::vector<PendingReply> replies;
  std::uint64_t request = 0;  // Of the API.
  Bytes retained;             // The topic whose retained message it stores.
  std::size_t bytes = 0;
};
struct Leave {
  hop::Detach detach;
  std::uint64_t epoch = 0;  // Of the connection that ended.
};
struct LatestCommand {
  storage::CommandRow row;
  std::size_t in_flight = 0;
};
// A QoS 2 publish that nobody stored, released and to be published at the end of the turn.
struct ReleasedLive {
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  storage::MessageRef message;
  SessionNumber session = 0;
  LaneId lane = 0;
};
// A step of a command that found no room.
struct FailedCommand {
  LaneId lane = 0;
  Bytes device, id;
  storage::CommandState state{};
};
}  // namespace naru::broker

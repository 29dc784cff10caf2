// broker/session/hop_values.hpp
//
// The words that hops are made of: who is connected where, a message on its way, who waits for it.
//
// Sans-IO values; all can be encoded.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/routing/route_table.hpp"
#include "storage/base/archive.hpp"
#include "storage/tables/message.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

using ConnectionId = std::uint64_t;  // The shard in the top 16 bits, then a counter.
using LaneId = std::uint16_t;
using storage::SessionNumber;

inline std::uint16_t shard_of(ConnectionId id) { return static_cast<std::uint16_t>(id >> 48); }

// A message inside a hop: shared on the way between threads, bytes when encoded.
struct Carried {
  storage::MessageRef message;
  Carried() = default;
  Carried(storage::MessageRef m) : message(std::move(m)) {}  // NOLINT: a message is carried.
  void fields(Encoder& a) { a(message ? Bytes{message->encoded()} : Bytes{}); }
  void fields(Decoder& a) {
    Bytes bytes;
    a(bytes);
    message = bytes.empty() ? nullptr : storage::Message::decode(std::move(bytes));
  }
};

// Who waits for the commit of a publish: a front's (or an outbox's) count of open parts.
struct ReplyTo {
  std::uint16_t shard = 0;
  std::uint64_t number = 0;  // 0: nobody waits.
  // How many failures of the lanes' shard the front has passed on. What it sent before it heard of
  // all of them is refused, or a later message of a publisher would overtake a failed one.
  std::uint32_t heard = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(shard, number, heard);
  }
};

struct Delivery {
  Route::Kind kind = Route::Kind::connection;
  std::uint16_t place = 0;
  std::uint64_t owner = 0;
  std::uint8_t options = 0;  // As in storage::Reference: QoS to deliver with, retain flag.
  std::vector<std::uint32_t> subscription_ids;
  template <class Archive>
  void fields(Archive& a) {
    a(kind, place, owner, options, subscription_ids);
  }
};

}  // namespace naru::broker

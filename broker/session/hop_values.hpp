// broker/session/hop_values.hpp
//
// The words that hops are made of: who is connected where, a message on its way, who waits for it.
//
// Sans-IO values; all can be encoded.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <boost/container_hash/hash.hpp>

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

// Who publishes: a session of a lane, or a connection of a shard. owner 0: nobody in particular.
struct PublisherId {
  std::uint16_t place = 0;
  std::uint64_t owner = 0;
  bool operator==(const PublisherId&) const = default;
  template <class Archive>
  void fields(Archive& a) {
    a(place, owner);
  }
};
inline std::size_t hash_value(const PublisherId& id) {
  return boost::hash_value(std::pair{id.place, id.owner});
}

// Who waits for the commit of a publish: a front's (or an outbox's) count of open parts.
struct ReplyTo {
  std::uint16_t shard = 0;
  std::uint64_t number = 0;  // 0: nobody waits.
  PublisherId publisher;
  std::uint64_t heard = 0;  // Its newest failure that is passed on: failed_publishes.hpp.
  template <class Archive>
  void fields(Archive& a) {
    a(shard, number, publisher, heard);
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

// broker/session/presence.hpp
//
// Presence is what a lane's leader knows of a client that is connected now, clean or not; and
// NewCommand what the API asks it to carry to a device.
//
// Sans-IO values. Owned by LaneClients, one Presence a client id; lost with the process, because
// connections are, too.
#pragma once

#include <memory>

#include "broker/session/hop_values.hpp"
#include "storage/base/clock.hpp"
#include "storage/base/keyed_set.hpp"

namespace naru::broker {

struct Presence {
  Bytes client_id;
  ConnectionId connection = 0;
  std::uint64_t epoch = 0;
  std::uint16_t keep_alive_s = 0;
  std::uint16_t window = 0;
  std::uint8_t protocol = 4;
  bool clean_start = true;
  WallMillis connected_at = 0;
  Bytes address, identity;
};

using PresenceSet = KeyedSet<std::unique_ptr<Presence>, &Presence::client_id>;

struct NewCommand {
  Bytes device, id, name, payload;
  WallMillis expires_wall = 0;
  StoreMillis expires_at = 0;
};

}  // namespace naru::broker

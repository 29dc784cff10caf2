// broker/session/shard_settings.hpp
//
// ShardSettings are what the configuration says to the cores of one shard.
//
// Sans-IO values. Made by broker/app/node.cpp (or the simulator), owned by ShardCore, which every
// core of the shard reads them from. Lives on the shard. Bounds and defaults:
// broker/app/config.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/routing/filter_index.hpp"
#include "broker/session/client_limits.hpp"
#include "broker/session/planted_fault.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

// Constant for the life of a shard, but for what ShardCore::reload() takes over.
struct ShardSettings {
  std::uint64_t node = 1;         // Of Origin.
  std::uint32_t incarnation = 1;  // Rises durably at each start; the term of every lane.
  std::uint16_t shard = 0;
  std::uint16_t shards = 1;
  std::uint16_t max_inflight = 20;       // Messages in flight to one client.
  std::uint16_t receive_maximum = 1024;  // QoS > 0 publishes a client may have open with us.
  std::uint16_t topic_aliases_in = 10;   // Topics a client may number, on one connection.
  std::uint16_t topic_aliases_out = 10;  // Topics we number for a client that takes that.
  std::uint32_t max_packet_size = 2u << 20;
  std::uint32_t max_payload_size = 0;     // Of a client's publish or will; 0: no limit of its own.
  std::uint64_t max_queued_messages = 0;  // A session; 0: only the disk limits.
  std::uint64_t max_queued_bytes = 0;
  std::uint64_t max_delayed_messages = 0;  // A client; 0: only the disk limits.
  bool drop_oldest = false;                // At those limits; else the newest.
  std::uint64_t max_waiting = 16u << 20;   // Bytes that wait for a connected clean session.
  std::uint64_t max_output = 4u << 20;     // Unsent bytes of a connection before QoS 0 is dropped.
  std::uint16_t retained_step = 256;       // Messages of one step (broker/session/retained_asker).
  std::uint32_t session_expiry_max_s = 0xffffffff;
  std::uint16_t max_keep_alive_s = 65535;
  bool retain_available = true;
  Bytes command_prefix = "vehicles";
  std::vector<Bytes> bridge_clients;  // Client ids that belong to our own bridges.
  Bytes response_information;         // For a client that asks; %c is its id. Empty: none.
  ClientLimits limits;
  bool low_memory = false;           // Nothing new is taken on (broker/app/memory_watch.hpp).
  Duration will_grace{10'000'000};   // For clients that were connected when the node stopped.
  TextMap<std::size_t> stream_keys;  // The most keys of a stream in one lane.

  PlantedFault planted = PlantedFault::none;  // In test builds.

  std::uint16_t shard_of_lane(LaneId lane) const {
    return static_cast<std::uint16_t>(lane % shards);
  }
};

}  // namespace naru::broker

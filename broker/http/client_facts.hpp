// broker/http/client_facts.hpp
//
// ClientFacts is what the node knows of one client, gathered from its lane and its connection.
//
// Values; the functions that take a ShardCore run on its shard.
// Bounded by: the caller's limit of clients; filters by the session's own bound.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "broker/http/json_text.hpp"
#include "storage/base/clock.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

class ShardCore;

struct ClientFacts {
  Bytes client_id;
  bool connected = false;
  Bytes user;     // Empty: anonymous.
  Bytes address;  // Empty: not connected.
  std::uint8_t protocol = 4;
  bool clean_start = false;
  bool session = false;  // It has one that outlives the connection.
  std::uint32_t session_expiry_s = 0;
  std::uint16_t keep_alive_s = 0;
  std::optional<WallMillis> connected_at;
  std::optional<WallMillis> disconnected_at;
  std::uint8_t reason = 0;  // Why it disconnected.
  std::uint64_t epoch = 0;
  std::vector<storage::FilterRow> filters;
  std::uint64_t queued = 0;  // Not acknowledged yet, in flight or not.
  std::uint64_t in_flight = 0;
  std::uint64_t queued_bytes = 0;
  std::uint64_t window = 0;     // The most that may be in flight; 0: not connected.
  std::uint64_t throttled = 0;  // How often its connection was too fast and had to wait.
  bool is_throttled = false;    // And does now.
  struct Will {
    Bytes topic;
    std::uint8_t qos = 0;
    bool retain = false;
    std::uint64_t payload_bytes = 0;
    std::uint32_t delay_s = 0;
  };
  std::optional<Will> will;  // Not published yet.
  // Variables of its acl_file, and what they are for it; empty: it has no value.
  std::vector<std::pair<Bytes, Bytes>> variables;
};

Json client_json(const ClientFacts& client);
Json subscription_json(const storage::FilterRow& filter);
// Sentences for people: how it stands with this client, and why.
std::vector<Bytes> explain(const ClientFacts& client);

// Nothing where the client is neither connected nor has a session.
std::optional<ClientFacts> find_client(ShardCore& core, BytesView client_id);

}  // namespace naru::broker

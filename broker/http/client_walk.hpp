// broker/http/client_walk.hpp
//
// Finds clients by what they are or want, in the order of client ids. Nobody keeps them in that
// order, so all are looked at: some thousands in one turn of their shard, of which only the ids
// that may still be among the first come back.
//
// Edge: a coroutine on shard 0; each look runs on the shard it looks at.
// Lives on: shard 0. Owned by the asking coroutine.
// Bounded by: entries_a_step clients a turn (and one lane more), `limit` answers. A client that
// comes or goes meanwhile may be missed or told.
#pragma once

#include <functional>

#include "broker/http/ask.hpp"
#include "broker/http/client_facts.hpp"

namespace naru::broker {

struct ClientQuery {
  Bytes after;  // Ids above this one.
  std::size_t limit = 100;
  bool connected = false;  // Only those.
  // Only those with a filter of which this is true; empty: all.
  std::function<bool(BytesView filter)> wants;
};

struct FoundClients {
  std::vector<ClientFacts> clients;
  bool more = false;
};

awaitable<FoundClients> find_clients(Control* control, ClientQuery query);

}  // namespace naru::broker

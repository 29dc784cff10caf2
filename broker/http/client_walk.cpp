#include "broker/http/client_walk.hpp"

#include <algorithm>
#include <set>

#include "broker/http/lane_tally.hpp"
#include "broker/session/shard_core.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

namespace {

constexpr int restarts_max = 3;

// One look at some clients of a shard, and where the next one begins.
struct Look {
  Bytes below;  // Ids from here on are of no use any more; empty: all are.
  std::size_t lane = 0;
  Bytes present;            // The entry of the registry to begin at; empty: its begin.
  std::size_t buckets = 0;  // The registry's, when that entry was noted.
  bool whole = false;       // The registry changes too fast to be walked in steps.
  bool done = false;
  bool restarted = false;
  std::vector<Bytes> ids;
};

bool fits(const ClientQuery& query, const std::vector<storage::FilterRow>& filters) {
  return !query.wants || std::ranges::any_of(filters, [&](const storage::FilterRow& row) {
    return query.wants(row.filter);
  });
}

bool is_in_page(const ClientQuery& query, const Look& look, BytesView id) {
  return id > query.after && (look.below.empty() || id < look.below);
}

void look_at_lanes(ShardCore& core, const ClientQuery& query, Look& look) {
  std::size_t entries = 0;
  for (; look.lane < cluster::lane_count && entries < entries_a_step; ++look.lane) {
    const auto id = static_cast<LaneId>(look.lane);
    if (!core.lanes().leads(id)) continue;
    const LaneState& lane = core.lanes().lane(id);
    entries += lane.clients().size();
    for (const auto& [client_id, client] : lane.clients()) {
      if (!client.session || client.session->group) continue;
      if (!is_in_page(query, look, client_id)) continue;
      if (query.connected && client.session->connection == 0) continue;
      if (fits(query, client.session->filters)) look.ids.push_back(client_id);
    }
  }
}

// Who is connected with a clean session is in the registry alone. An entry's place in it holds
// until it grows; then the walk begins again.
void look_at_present(ShardCore& core, const ClientQuery& query, Look& look) {
  const auto& present = core.lanes().present();
  auto at = look.present.empty() ? present.begin() : present.find(look.present);
  const bool moved = at == present.end() || look.buckets != present.bucket_count();
  if (!look.present.empty() && moved) {
    look.restarted = true;
    at = present.begin();
  }
  const Front& front = core.front();
  for (std::size_t entries = 0; at != present.end(); ++at, ++entries) {
    if (entries >= entries_a_step && !look.whole) {
      look.present = (*at)->client_id;
      look.buckets = present.bucket_count();
      return;
    }
    if (!is_in_page(query, look, (*at)->client_id)) continue;
    const Connection* const connection = front.find((*at)->connection);
    if (connection != nullptr && connection->session != 0) continue;  // Its lane has it.
    static const std::vector<storage::FilterRow> none;
    if (fits(query, connection != nullptr ? connection->filters : none)) {
      look.ids.push_back((*at)->client_id);
    }
  }
  look.done = true;
}

Look look_once(ShardCore& core, const ClientQuery& query, Look look) {
  look.ids.clear();
  look.restarted = false;
  if (look.lane < cluster::lane_count) {
    look_at_lanes(core, query, look);
  } else {
    look_at_present(core, query, look);
  }
  if (look.ids.size() > query.limit) {
    std::ranges::sort(look.ids);
    look.ids.resize(query.limit);
  }
  return look;
}

// The ids of one shard's clients are added to `ids`, which keeps the first query.limit.
awaitable<void> gather(Control* control, std::uint16_t shard,
                       std::shared_ptr<const ClientQuery> query,
                       std::shared_ptr<std::set<Bytes>> ids) {
  Look look;
  int restarts = 0;
  while (!look.done) {
    Question<Look> question = [query, look](ShardCore& core) {
      return look_once(core, *query, look);
    };
    auto asking = ask<Look>(control, shard, std::move(question));
    look = co_await std::move(asking);
    ids->insert(look.ids.begin(), look.ids.end());
    while (ids->size() > query->limit) ids->erase(std::prev(ids->end()));
    if (ids->size() == query->limit) look.below = *ids->rbegin();
    if (look.restarted) look.whole = ++restarts >= restarts_max;
  }
}

}  // namespace

awaitable<FoundClients> find_clients(Control* control, ClientQuery query) {
  const std::size_t limit = query.limit++;  // One more tells whether there is a next page.
  const auto shared = std::make_shared<const ClientQuery>(std::move(query));
  const auto ids = std::make_shared<std::set<Bytes>>();
  for (std::uint16_t shard = 0; shard < control->shards(); ++shard) {
    auto gathering = gather(control, shard, shared, ids);
    co_await std::move(gathering);
  }
  FoundClients found;
  found.more = ids->size() > limit;
  if (found.more) ids->erase(std::prev(ids->end()));
  Question<std::vector<ClientFacts>> question = [ids](ShardCore& core) {
    std::vector<ClientFacts> clients;
    for (const Bytes& id : *ids) {
      if (!core.lanes().leads(cluster::lane_of(id))) continue;
      if (auto client = find_client(core, id)) clients.push_back(std::move(*client));
    }
    return clients;
  };
  auto asking = ask_all<std::vector<ClientFacts>>(control, std::move(question));
  std::vector<std::vector<ClientFacts>> parts = co_await std::move(asking);
  for (auto& part : parts) std::ranges::move(part, std::back_inserter(found.clients));
  std::ranges::sort(found.clients, {}, &ClientFacts::client_id);
  co_return found;
}

}  // namespace naru::broker

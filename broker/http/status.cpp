// GET /v1/status: the node, its health, and everything it counts.

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "broker/http/ask.hpp"
#include "broker/http/client_facts.hpp"
#include "broker/http/counters.hpp"
#include "broker/http/lane_tally.hpp"
#include "broker/http/routes.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

namespace {

struct ShardTally {
  std::uint64_t connections = 0;
  std::uint64_t retained = 0;
  std::uint64_t delayed = 0;
  ShardCounters counters;
};

ShardTally tally_of(ShardCore& core) {
  return {core.front().size(), core.lanes().retained().size(), core.lanes().delayed(),
          core.counters()};
}

ShardTally sum(const std::vector<ShardTally>& parts) {
  ShardTally total;
  for (const ShardTally& part : parts) {
    total.connections += part.connections;
    total.retained += part.retained;
    total.delayed += part.delayed;
    add_stats(total.counters, part.counters, counter_rows());
  }
  return total;
}

Json node_json(const NodeFacts& facts, std::uint16_t shards) {
  Json node;
  node["id"] = facts.id;
  node["version"] = facts.version;
  node["uptime_s"] = facts.uptime_s;
  node["store_time"] = facts.store_time;
  node["shards"] = shards;
  return node;
}

Json bridge_json(const NodeFacts::Bridge& bridge, std::uint64_t queued) {
  Json json;
  json["name"] = bridge.name;
  json["connected"] = bridge.connected;
  json["state"] = bridge.state;
  json["address"] = bridge.address;
  json["client_id"] = bridge.client_id;
  json["queued"] = queued;
  json["sent"] = bridge.sent;
  json["received"] = bridge.received;
  json["dropped"] = bridge.dropped;
  return json;
}

// What waits for each of them, in its session; a removed one is told of while it has one.
awaitable<Json> bridges_json(Control* control, std::vector<NodeFacts::Bridge> bridges) {
  Json list = Json::array();
  for (const NodeFacts::Bridge& bridge : bridges) {
    using Queued = std::optional<std::uint64_t>;
    Question<Queued> question = [id = bridge.client_id](ShardCore& core) {
      const auto client = find_client(core, id);
      return client && client->session ? Queued{client->queued} : std::nullopt;
    };
    auto asking = ask<Queued>(control, control->shard_of(bridge.client_id), question);
    const Queued queued = co_await std::move(asking);
    if (bridge.removed && !queued) continue;
    list.push_back(bridge_json(bridge, queued.value_or(0)));
  }
  co_return list;
}

Json commits_json(const NodeFacts::Commits& commits) {
  Json json;
  json["commits"] = commits.commits;
  json["units"] = commits.units;
  json["sync_us_p50"] = commits.times.bound_us(0.5);
  json["sync_us_p99"] = commits.times.bound_us(0.99);
  return json;
}

Json status_json(const NodeFacts& facts, std::uint16_t shards, const ShardTally& total,
                 const LaneTally& lanes) {
  Json status;
  status["node"] = node_json(facts, shards);
  status["health"] = facts.problems.empty() ? "green" : "red";
  status["problems"] = facts.problems;
  status["connections"] = total.connections;
  status["sessions"] = lanes.sessions.sessions;
  status["sessions_connected"] = lanes.sessions.connected;
  status["subscriptions"] = facts.subscriptions;
  status["retained"] = total.retained;
  status["queued_messages"] = lanes.sessions.messages;
  status["delayed_messages"] = total.delayed;
  Json& counters = status["counters"] = Json::object();
  for (const auto& row : counter_rows()) {
    counters[short_name(row)] = total.counters.*row.member;
  }
  status["commits"] = commits_json(facts.commits);
  Json& streams = status["streams"] = Json::array();
  for (const NodeFacts::Stream& stream : all_streams(facts, lanes.streams)) {
    streams.push_back(stream_json(stream.name, lanes.streams));
  }
  status["commands"]["open"] = lanes.commands_open;
  status["commands"]["ended"] = lanes.commands_ended;
  Json& listeners = status["listeners"] = Json::array();
  for (const NodeFacts::Listener& listener : facts.listeners) {
    Json& json = listeners.emplace_back();
    json["address"] = listener.address;
    json["port"] = listener.port;
  }
  return status;
}

}  // namespace

Answer get_status(Call call) {
  auto asking = ask_all<ShardTally>(call.control, tally_of);
  const std::vector<ShardTally> parts = co_await std::move(asking);
  auto counting = tally_lanes(call.control);
  const LaneTally lanes = co_await std::move(counting);
  const NodeFacts facts = call.control->facts();
  Json status = status_json(facts, call.control->shards(), sum(parts), lanes);
  auto bridging = bridges_json(call.control, facts.bridges);
  Json bridges = co_await std::move(bridging);
  status["bridges"] = std::move(bridges);
  co_return reply(status);
}

}  // namespace naru::broker

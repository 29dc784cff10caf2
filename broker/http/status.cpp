// GET /v1/status: the node, its health, and everything it counts.

#include <utility>

#include <nlohmann/json.hpp>

#include "broker/http/ask.hpp"
#include "broker/http/counters.hpp"
#include "broker/http/routes.hpp"
#include "broker/http/stream_totals.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

namespace {

struct ShardTally {
  std::uint64_t connections = 0;
  std::uint64_t sessions = 0;
  std::uint64_t sessions_connected = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t retained = 0;
  std::uint64_t queued_messages = 0;
  std::uint64_t commands_open = 0;
  std::uint64_t commands_ended = 0;
  ShardCounters counters;
  StreamTotalsByName streams;
};

void count_sessions(ShardTally& tally, const LaneState& lane) {
  for (const auto& [client_id, client] : lane.clients()) {
    if (!client.session) continue;
    ++tally.sessions;
    if (client.session->connection != 0) ++tally.sessions_connected;
    tally.subscriptions += client.session->filters.size();
    tally.queued_messages += client.session->queue.waiting();
  }
  tally.commands_open += lane.ledger().open();
  tally.commands_ended += lane.ledger().ended();
}

void count_clean_subscriptions(ShardTally& tally, ShardCore& core) {
  const Front& front = core.front();
  for (const auto& [client_id, presence] : core.lanes().present()) {
    const Connection* const connection = front.find(presence.connection);
    if (connection == nullptr || connection->session != 0) continue;
    tally.subscriptions += connection->filters.size();
  }
}

ShardTally tally_of(ShardCore& core) {
  ShardTally tally;
  tally.connections = core.front().size();
  tally.retained = core.lanes().retained_count();
  core.lanes().each_lane([&tally](const LaneState& lane) { count_sessions(tally, lane); });
  count_clean_subscriptions(tally, core);
  tally.counters = core.counters();
  add_streams(tally.streams, core);
  return tally;
}

ShardTally sum(const std::vector<ShardTally>& parts) {
  ShardTally total;
  for (const ShardTally& part : parts) {
    total.connections += part.connections;
    total.sessions += part.sessions;
    total.sessions_connected += part.sessions_connected;
    total.subscriptions += part.subscriptions;
    total.retained += part.retained;
    total.queued_messages += part.queued_messages;
    total.commands_open += part.commands_open;
    total.commands_ended += part.commands_ended;
    add_stats(total.counters, part.counters, counter_rows());
    add_streams(total.streams, part.streams);
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

Json commits_json(const NodeFacts::Commits& commits) {
  Json json;
  json["commits"] = commits.commits;
  json["units"] = commits.units;
  json["sync_us_p50"] = commits.sync_us_p50;
  json["sync_us_p99"] = commits.sync_us_p99;
  return json;
}

Json status_json(const NodeFacts& facts, std::uint16_t shards, const ShardTally& total) {
  Json status;
  status["node"] = node_json(facts, shards);
  status["health"] = facts.problems.empty() ? "green" : "red";
  status["problems"] = facts.problems;
  status["connections"] = total.connections;
  status["sessions"] = total.sessions;
  status["sessions_connected"] = total.sessions_connected;
  status["subscriptions"] = total.subscriptions;
  status["retained"] = total.retained;
  status["queued_messages"] = total.queued_messages;
  Json& counters = status["counters"] = Json::object();
  for (const auto& row : counter_rows()) {
    counters[Bytes{short_name(row)}] = total.counters.*row.member;
  }
  status["commits"] = commits_json(facts.commits);
  Json& streams = status["streams"] = Json::array();
  for (const NodeFacts::Stream& stream : all_streams(facts, total.streams)) {
    streams.push_back(stream_json(stream.name, total.streams));
  }
  status["commands"]["open"] = total.commands_open;
  status["commands"]["ended"] = total.commands_ended;
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
  co_return reply(status_json(call.control->facts(), call.control->shards(), sum(parts)));
}

}  // namespace naru::broker

// GET /v1/metrics, and what it is made of.

#include <utility>

#include "broker/http/ask.hpp"
#include "broker/http/counters.hpp"
#include "broker/http/metrics.hpp"
#include "broker/http/routes.hpp"
#include "broker/http/scrape.hpp"
#include "broker/session/shard_core.hpp"

namespace naru::broker {

namespace {

struct ShardPart {
  ShardCounters counters;
  std::uint64_t connections = 0, retained = 0, delayed = 0, uncommitted = 0;
  bool paused = false;
};

ShardPart part_of(ShardCore& core) {
  return {core.counters(),        core.front().size(),          core.lanes().retained().size(),
          core.lanes().delayed(), core.lanes().pending_bytes(), core.front().over_pressure};
}

void add_shards(Scrape& scrape, const std::vector<ShardPart>& parts) {
  NodeStats& node = scrape.node;
  for (const ShardPart& part : parts) {
    add_stats(scrape.counters, part.counters, counter_rows());
    node.connections += part.connections;
    node.retained += part.retained;
    node.delayed += part.delayed;
    node.uncommitted += part.uncommitted;
    if (part.paused) ++node.shards_paused;
  }
  node.shards = parts.size();
}

void add_lanes(Scrape& scrape, const LaneTally& lanes, const NodeFacts& facts) {
  NodeStats& node = scrape.node;
  node.sessions = lanes.sessions.sessions;
  node.sessions_connected = lanes.sessions.connected;
  node.queued = lanes.sessions.messages;
  node.queued_bytes = lanes.sessions.bytes;
  node.queue_longest = lanes.sessions.longest;
  node.in_flight = lanes.sessions.in_flight;
  scrape.commands = lanes.commands;
  for (const NodeFacts::Stream& stream : all_streams(facts, lanes.streams)) {
    const auto found = lanes.streams.find(stream.name);
    const StreamTotals totals = found != lanes.streams.end() ? found->second : StreamTotals{};
    scrape.streams.push_back({{{"stream", stream.name}}, totals});
  }
}

void add_facts(Scrape& scrape, const NodeFacts& facts) {
  NodeStats& node = scrape.node;
  scrape.version = facts.version;
  node.uptime = facts.uptime_s;
  node.problems = facts.problems.size();
  node.subscriptions = facts.subscriptions;
  node.commits = facts.commits.commits;
  node.units = facts.commits.units;
  node.commit_bytes = facts.commits.bytes;
  node.failed_units = facts.commits.failed;
  scrape.commit_times = facts.commits.times;
  scrape.commit_waits = facts.commits.waits;
  node.memory_used = facts.memory_used;
  node.memory_limit = facts.memory_limit;
  node.memory_high = facts.memory_is_high ? 1 : 0;
  node.disk_percent = facts.disk_percent;
  node.room_streams = facts.room.streams ? 1 : 0;
  node.room_sessions = facts.room.sessions ? 1 : 0;
  node.room_commands = facts.room.ledger ? 1 : 0;
}

void add_bridges(Scrape& scrape, const NodeFacts& facts) {
  for (const NodeFacts::Bridge& each : facts.bridges) {
    if (each.removed) continue;
    const std::uint64_t connected = each.connected ? 1 : 0;
    scrape.bridges.push_back({{{"bridge", each.name}},
                              {connected, each.sent, each.received, each.dropped, each.repeated}});
  }
}

void add_store(Scrape& scrape, const StoreFacts& store) {
  NodeStats& node = scrape.node;
  node.disk_free = store.free_bytes;
  node.store_log = store.log_bytes;
  node.store_buffers = store.buffer_bytes;
  node.writes_stopped = store.writes_stopped ? 1 : 0;
  for (const StoreFacts::Part& family : store.families) node.store_files += family.bytes;
}

}  // namespace

awaitable<Scrape> gather_scrape(Control* control) {
  auto asking = ask_all<ShardPart>(control, part_of);
  const std::vector<ShardPart> parts = co_await std::move(asking);
  auto counting = tally_lanes(control);
  const LaneTally lanes = co_await std::move(counting);
  auto reading = control->store_facts();
  const StoreFacts store = co_await std::move(reading);
  const NodeFacts facts = control->facts();
  Scrape scrape;
  add_shards(scrape, parts);
  add_lanes(scrape, lanes, facts);
  add_facts(scrape, facts);
  add_bridges(scrape, facts);
  add_store(scrape, store);
  co_return scrape;
}

Answer get_metrics(Call call) {
  auto gathering = gather_scrape(call.control);
  const Scrape scrape = co_await std::move(gathering);
  HttpResponse response;
  response.body = metrics_text(scrape);
  response.type = "text/plain; version=0.0.4";
  co_return response;
}

}  // namespace naru::broker

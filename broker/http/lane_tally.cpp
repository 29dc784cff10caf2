#include "broker/http/lane_tally.hpp"

#include <algorithm>
#include <array>

#include "broker/session/shard_core.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

namespace {

using C = CommandTally;
constexpr auto gauge = MetricKind::gauge;
constexpr std::string_view metric = "naru_commands";
constexpr std::string_view help = "Commands in the ledger, by the state they are in.";

// clang-format off
constexpr auto rows = std::to_array<MetricRow<CommandTally>>({
  {&C::queued,     metric, gauge, help, {"state", "queued"}},
  {&C::sent,       metric, gauge, help, {"state", "sent"}},
  {&C::delivered,  metric, gauge, help, {"state", "delivered"}},
  {&C::accepted,   metric, gauge, help, {"state", "accepted"}},
  {&C::running,    metric, gauge, help, {"state", "running"}},
  {&C::succeeded,  metric, gauge, help, {"state", "succeeded"}},
  {&C::failed,     metric, gauge, help, {"state", "failed"}},
  {&C::rejected,   metric, gauge, help, {"state", "rejected"}},
  {&C::expired,    metric, gauge, help, {"state", "expired"}},
  {&C::cancelled,  metric, gauge, help, {"state", "cancelled"}},
  {&C::superseded, metric, gauge, help, {"state", "superseded"}},
});
// clang-format on

static_assert(rows.size() == static_cast<std::size_t>(CommandState::superseded) + 1,
              "each state has its row");

void count_sessions(SessionTally& tally, const LaneState& lane) {
  for (const auto& [client_id, client] : lane.clients()) {
    if (!client.session) continue;
    const SessionQueue& queue = client.session->queue;
    const std::uint64_t waiting = queue.waiting();
    if (!client.session->group) ++tally.sessions;
    if (client.session->connection != 0) ++tally.connected;
    tally.messages += waiting;
    tally.bytes += queue.bytes();
    tally.in_flight += queue.in_flight();
    tally.longest = std::max(tally.longest, waiting);
  }
}

void count_commands(LaneTally& tally, const Ledger& ledger) {
  ledger.each([&tally](const CommandRow& row) {
    ++(tally.commands.*rows[static_cast<std::size_t>(state_of(row))].member);
  });
  tally.commands_open += ledger.open();
  tally.commands_ended += ledger.ended();
}

void count_streams(StreamTotalsByName& totals, const LaneState& lane) {
  for (const auto& [name, stream] : lane.streams()) {
    add_stream(totals[name], {stream.records(), stream.bytes(), stream.keys()});
  }
}

void add(LaneTally& total, const LaneTally& part) {
  SessionTally& sessions = total.sessions;
  sessions.sessions += part.sessions.sessions;
  sessions.connected += part.sessions.connected;
  sessions.messages += part.sessions.messages;
  sessions.bytes += part.sessions.bytes;
  sessions.in_flight += part.sessions.in_flight;
  sessions.longest = std::max(sessions.longest, part.sessions.longest);
  add_stats(total.commands, part.commands, rows);
  total.commands_open += part.commands_open;
  total.commands_ended += part.commands_ended;
  for (const auto& [name, stream] : part.streams) add_stream(total.streams[name], stream);
}

}  // namespace

std::span<const MetricRow<CommandTally>> command_rows() { return rows; }

std::size_t count_lanes(ShardCore& core, std::size_t first, LaneTally& tally) {
  std::size_t entries = 0;
  std::size_t id = first;
  for (; id < cluster::lane_count && entries < entries_a_step; ++id) {
    if (!core.lanes().leads(static_cast<LaneId>(id))) continue;
    const LaneState& lane = core.lanes().lane(static_cast<LaneId>(id));
    count_sessions(tally.sessions, lane);
    count_commands(tally, lane.ledger());
    count_streams(tally.streams, lane);
    entries += lane.clients().size() + lane.ledger().open() + lane.ledger().ended();
  }
  return id;
}

awaitable<LaneTally> tally_lanes(Control* control) {
  struct Step {
    LaneTally tally;
    std::size_t next = 0;
  };
  LaneTally total;
  for (std::uint16_t shard = 0; shard < control->shards(); ++shard) {
    for (std::size_t next = 0; next < cluster::lane_count;) {
      Question<Step> question = [next](ShardCore& core) {
        Step step;
        step.next = count_lanes(core, next, step.tally);
        return step;
      };
      auto asking = ask<Step>(control, shard, std::move(question));
      const Step step = co_await std::move(asking);
      add(total, step.tally);
      next = step.next;
    }
  }
  co_return total;
}

}  // namespace naru::broker

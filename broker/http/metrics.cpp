#include "broker/http/metrics.hpp"

#include <array>

#include "broker/http/counters.hpp"

namespace naru::broker {

namespace {

using N = NodeStats;
using S = StreamTotals;
constexpr auto counter = MetricKind::counter;
constexpr auto gauge = MetricKind::gauge;
constexpr auto histogram = MetricKind::histogram;

constexpr std::string_view room_help =
    "1 while the disk has room for this kind of work, 0 while it is refused.";

// clang-format off
constexpr auto node_rows = std::to_array<MetricRow<NodeStats>>({
  {&N::uptime,             "naru_uptime_seconds",          gauge,   "Since the process started."},
  {&N::problems,           "naru_problems",                gauge,   "What `naru status` shows in red, as a number."},
  {&N::shards,             "naru_shards",                  gauge,   "Threads that serve connections."},
  {&N::shards_paused,      "naru_shards_paused",           gauge,   "Shards that read nothing because too much waits for the disk."},
  {&N::connections,        "naru_connections",             gauge,   "Open network connections, with those before CONNECT."},
  {&N::sessions,           "naru_sessions",                gauge,   "Sessions that outlive their connection."},
  {&N::sessions_connected, "naru_sessions_connected",      gauge,   "Those of them whose client is connected."},
  {&N::subscriptions,      "naru_subscriptions",           gauge,   "Filters of all sessions and connections."},
  {&N::retained,           "naru_retained_messages",       gauge,   "Topics with a retained message."},
  {&N::queued,             "naru_queue_messages",          gauge,   "Messages in queues of sessions, not acknowledged yet."},
  {&N::queued_bytes,       "naru_queue_bytes",             gauge,   "Their bytes."},
  {&N::queue_longest,      "naru_queue_longest_messages",  gauge,   "Messages in the longest queue."},
  {&N::in_flight,          "naru_in_flight_messages",      gauge,   "Messages sent to clients of sessions and not acknowledged yet."},
  {&N::delayed,            "naru_delayed_messages",        gauge,   "Delayed publishes that wait for their time."},
  {&N::uncommitted,        "naru_uncommitted_bytes",       gauge,   "Bytes on their way to the disk; nothing of them is acknowledged."},
  {&N::commits,            "naru_commits_total",           counter, "Batches written and synced."},
  {&N::units,              "naru_commit_units_total",      counter, "Units in them; a unit is what is acknowledged as one."},
  {&N::commit_bytes,       "naru_commit_bytes_total",      counter, "Bytes in them."},
  {&N::failed_units,       "naru_commit_failed_units_total", counter, "Units in batches the disk had no room for."},
  {&N::memory_used,        "naru_memory_bytes",            gauge,   "Memory of the process, without pages of files."},
  {&N::memory_limit,       "naru_memory_limit_bytes",      gauge,   "Where new work is refused: memory_limit."},
  {&N::memory_high,        "naru_memory_high",             gauge,   "1 while new work is refused for it."},
  {&N::disk_percent,       "naru_disk_used_percent",       gauge,   "How full the file system of the data directory is."},
  {&N::disk_free,          "naru_disk_free_bytes",         gauge,   "What is free on it."},
  {&N::room_streams,       "naru_disk_room",               gauge,   room_help, {"work", "streams"}},
  {&N::room_sessions,      "naru_disk_room",               gauge,   room_help, {"work", "sessions"}},
  {&N::room_commands,      "naru_disk_room",               gauge,   room_help, {"work", "commands"}},
  {&N::store_files,        "naru_store_bytes",             gauge,   "Bytes of the store's tables."},
  {&N::store_log,          "naru_store_log_bytes",         gauge,   "Bytes of its log that a start would read."},
  {&N::store_buffers,      "naru_store_buffer_bytes",      gauge,   "Bytes that are in the log and in memory, in no table yet."},
  {&N::writes_stopped,     "naru_store_writes_stopped",    gauge,   "1 while the store makes commits wait."},
});

constexpr auto stream_rows = std::to_array<MetricRow<StreamTotals>>({
  {&S::records, "naru_stream_records", gauge, "Records a stream holds."},
  {&S::bytes,   "naru_stream_bytes",   gauge, "Their bytes."},
  {&S::keys,    "naru_stream_keys",    gauge, "Keys a stream has seen."},
});

using B = BridgeStats;
constexpr auto bridge_rows = std::to_array<MetricRow<BridgeStats>>({
  {&B::connected, "naru_bridge_connected",      gauge,   "1 while a bridge carries messages, 0 while it tries to."},
  {&B::sent,      "naru_bridge_sent_total",     counter, "Publishes a bridge carried to the remote broker, resends included."},
  {&B::received,  "naru_bridge_received_total", counter, "Publishes a bridge carried here, resends included."},
  {&B::dropped,   "naru_bridge_dropped_total",  counter, "Messages that could not cross: too large, refused, or of no topic line."},
  {&B::repeated,  "naru_bridge_repeated_total", counter, "Messages that had crossed before and were not carried in a circle."},
});

struct TimeRow {
  TimeHistogram Scrape::*member;
  std::string_view name;
  std::string_view help;
};
constexpr auto time_rows = std::to_array<TimeRow>({
  {&Scrape::commit_times, "naru_commit_seconds",      "How long writing and syncing a batch took."},
  {&Scrape::commit_waits, "naru_commit_wait_seconds", "From the arrival of a batch's oldest unit until it was synced: what waits for an acknowledgement waited so long."},
});
// clang-format on

constexpr std::string_view info_name = "naru_build_info";
constexpr std::string_view info_help = "Always 1; the label says which release runs.";

template <class Rows>
void list_rows(std::vector<MetricEntry>& list, const Rows& rows, std::string_view label = {}) {
  for (const auto& row : rows) {
    if (!list.empty() && list.back().name == row.name) continue;
    list.push_back({row.name, row.kind, row.help, {}});
    if (!label.empty()) list.back().labels.push_back(label);
    if (!row.label.name.empty()) list.back().labels.push_back(row.label.name);
  }
}

}  // namespace

std::vector<MetricEntry> metric_list() {
  std::vector<MetricEntry> list;
  list.push_back({info_name, gauge, info_help, {"version"}});
  list_rows(list, node_rows);
  list_rows(list, counter_rows());
  list_rows(list, command_rows());
  list_rows(list, stream_rows, "stream");
  list_rows(list, bridge_rows, "bridge");
  for (const TimeRow& row : time_rows) list.push_back({row.name, histogram, row.help, {"le"}});
  return list;
}

Bytes metrics_text(const Scrape& scrape) {
  Bytes out;
  expose_head(out, info_name, gauge, info_help);
  expose_sample(out, info_name, {{"version", scrape.version}}, 1);
  expose(out, node_rows, scrape.node);
  expose(out, counter_rows(), scrape.counters);
  expose(out, command_rows(), scrape.commands);
  expose(out, stream_rows, scrape.streams);
  if (!scrape.bridges.empty()) expose(out, bridge_rows, scrape.bridges);
  for (const TimeRow& row : time_rows) {
    expose_head(out, row.name, histogram, row.help);
    expose_histogram(out, row.name, scrape.*row.member);
  }
  return out;
}

Bytes metrics_reference() {
  Bytes page =
      "# Metrics\n\n"
      "`GET /v1/metrics` on the control socket ([api.md](api.md)) and `naru metrics` give these in "
      "Prometheus' text format. The page is written by `narud --metrics-reference`.\n\n"
      "Prometheus itself does not read Unix sockets: let the textfile collector of node_exporter "
      "have them, for instance once every 15 seconds with\n\n"
      "    naru metrics > naru.prom.new && mv naru.prom.new "
      "/var/lib/prometheus/node-exporter/naru.prom\n\n"
      "No label ever holds a client id or a topic. Counters begin at 0 when narud starts. Worth an "
      "alarm: `naru_problems > 0`, `naru_disk_room == 0`, `naru_memory_high > 0`, "
      "`rate(naru_dropped_total[5m]) > 0`, "
      "`naru_shards_paused > 0` for a minute, and the 99th percentile of "
      "`naru_commit_wait_seconds`.\n\n"
      "| metric | kind | labels | meaning |\n|---|---|---|---|\n";
  for (const MetricEntry& entry : metric_list()) {
    page.append("| `").append(entry.name).append("` | ").append(name(entry.kind)).append(" | ");
    for (std::size_t i = 0; i < entry.labels.size(); ++i) {
      page.append(i == 0 ? "`" : ", `").append(entry.labels[i]).append("`");
    }
    page.append(" | ").append(entry.help).append(" |\n");
  }
  return page;
}

}  // namespace naru::broker

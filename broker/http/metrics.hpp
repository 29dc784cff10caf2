// broker/http/metrics.hpp
//
// What the node tells Prometheus: one list of metrics, made of the tables of those who count. The
// samples of GET /v1/metrics and the reference page both walk it.
//
// Sans-IO: values of one scrape in, text out. Lives on any thread.
// Bounded by: the list, the states of commands and the streams of the configuration; never by
// clients or topics.
// Spec: Prometheus' text format, version 0.0.4.
#pragma once

#include "broker/http/lane_tally.hpp"

namespace naru::broker {

// What is neither a shard's counter nor a lane's.
struct NodeStats {
  std::uint64_t uptime = 0, problems = 0, shards = 0, shards_paused = 0;
  std::uint64_t connections = 0, subscriptions = 0, retained = 0, uncommitted = 0, delayed = 0;
  std::uint64_t sessions = 0, sessions_connected = 0;
  std::uint64_t queued = 0, queued_bytes = 0, queue_longest = 0, in_flight = 0;
  std::uint64_t commits = 0, units = 0, commit_bytes = 0, failed_units = 0;
  std::uint64_t disk_percent = 0, disk_free = 0;
  std::uint64_t memory_used = 0, memory_limit = 0, memory_high = 0;
  std::uint64_t room_streams = 0, room_sessions = 0, room_commands = 0;
  std::uint64_t store_log = 0, store_buffers = 0, store_files = 0, writes_stopped = 0;
};

struct BridgeStats {
  std::uint64_t connected = 0, sent = 0, received = 0, dropped = 0, repeated = 0;
};

// Everything one scrape has gathered.
struct Scrape {
  NodeStats node;
  ShardCounters counters;
  CommandTally commands;
  std::vector<LabelledStats<StreamTotals>> streams;
  std::vector<LabelledStats<BridgeStats>> bridges;
  TimeHistogram commit_times, commit_waits;
  Bytes version;
};

struct MetricEntry {
  std::string_view name;
  MetricKind kind;
  std::string_view help;
  std::vector<std::string_view> labels;  // By name.
};
std::vector<MetricEntry> metric_list();

Bytes metrics_text(const Scrape& scrape);
// deploy/guide/metrics.md, written by `narud --metrics-reference`.
Bytes metrics_reference();

}  // namespace naru::broker

#include "broker/http/counters.hpp"

#include <array>

namespace naru::broker {

namespace {

constexpr std::string_view prefix = "naru_";
constexpr std::string_view suffix = "_total";
constexpr auto counter = MetricKind::counter;
using C = ShardCounters;

constexpr std::string_view dropped =
    "Messages dropped, by cause: queue_full by a limit the operator set, expired before delivery, "
    "too_large for the client, unfit for every member of a group, slow for QoS 0 to a client that "
    "does not read, lost when the "
    "journal no longer had them, group_ended with the last member of a group, or QoS 2 with "
    "the session of the member that had it.";

constexpr std::string_view turned_away_metric = "naru_turned_away_total";
constexpr std::string_view turned_away =
    "Connections a limit kept out: full by max_connections or global_max_connections, address_full "
    "by max_connections_per_address, rate by max_connection_rate, address_rate by "
    "max_connection_rate_per_address, memory by memory_limit, late by connect_timeout.";

constexpr std::string_view beyond_metric = "naru_beyond_limit_total";
constexpr std::string_view beyond =
    "What clients were refused by a limit: filters deeper than max_filter_levels, SUBSCRIBEs "
    "beyond "
    "max_client_subscriptions, disconnects by on_client_rate, and QoS 2 publishes beyond 16 MB "
    "without PUBREL.";

// clang-format off
constexpr auto rows = std::to_array<MetricRow<ShardCounters>>({
  {&C::publishes_in,       "naru_publishes_in_total",       counter, "Publishes received from clients."},
  {&C::deliveries_out,     "naru_deliveries_out_total",     counter, "Messages sent to clients, resends included."},
  {&C::bytes_in,           "naru_bytes_in_total",           counter, "MQTT bytes received."},
  {&C::bytes_out,          "naru_bytes_out_total",          counter, "MQTT bytes handed to connections."},
  {&C::connects,           "naru_connects_total",           counter, "Connections that were accepted with CONNACK."},
  {&C::failed_handshakes,  "naru_failed_handshakes_total",  counter, "Handshakes of TLS, WebSocket or PROXY that failed."},
  {&C::refused_connects,   "naru_refused_connects_total",   counter, "CONNECTs that were refused."},
  {&C::turned_away_full, turned_away_metric, counter, turned_away, {"limit", "full"}},
  {&C::turned_away_address_full, turned_away_metric, counter, turned_away, {"limit", "address_full"}},
  {&C::turned_away_rate, turned_away_metric, counter, turned_away, {"limit", "rate"}},
  {&C::turned_away_address_rate, turned_away_metric, counter, turned_away, {"limit", "address_rate"}},
  {&C::turned_away_memory, turned_away_metric, counter, turned_away, {"limit", "memory"}},
  {&C::turned_away_late, turned_away_metric, counter, turned_away, {"limit", "late"}},
  {&C::beyond_filter_levels, beyond_metric, counter, beyond, {"limit", "filter_levels"}},
  {&C::beyond_subscriptions, beyond_metric, counter, beyond, {"limit", "subscriptions"}},
  {&C::beyond_rate, beyond_metric, counter, beyond, {"limit", "rate"}},
  {&C::beyond_unreleased, beyond_metric, counter, beyond, {"limit", "unreleased"}},
  {&C::throttled,          "naru_throttled_total",          counter, "How often a client was not read from because it was faster than max_client_publish_rate or max_client_byte_rate."},
  {&C::disconnects,        "naru_disconnects_total",        counter, "Accepted connections that have ended."},
  {&C::takeovers,          "naru_takeovers_total",          counter, "Connections ended by a newer one of the same client id."},
  {&C::dropped_queue_full, dropped_metric, counter, dropped, {"cause", "queue_full"}},
  {&C::dropped_expired, dropped_metric, counter, dropped, {"cause", "expired"}},
  {&C::dropped_too_large, dropped_metric, counter, dropped, {"cause", "too_large"}},
  {&C::dropped_unfit, dropped_metric, counter, dropped, {"cause", "unfit"}},
  {&C::dropped_slow, dropped_metric, counter, dropped, {"cause", "slow"}},
  {&C::dropped_lost, dropped_metric, counter, dropped, {"cause", "lost"}},
  {&C::dropped_group_ended, dropped_metric, counter, dropped, {"cause", "group_ended"}},
  {&C::wrong_identity,     "naru_wrong_identity_total",     counter, "Connects to a session of another identity."},
  {&C::denied_connects,    "naru_denied_connects_total",    counter, "CONNECTs refused for a user name, a password or a client id."},
  {&C::failed_access_calls, "naru_failed_access_calls_total", counter, "Questions to auth_http_url and acl_http_url without a clear answer; each counts as a refusal."},
  {&C::denied_publishes,   "naru_denied_publishes_total",   counter, "Publishes and wills refused: a right was missing, the payload was larger than message_size_limit, the QoS above max_qos, retain_available false, or the topic begins with $delayed and is no delayed one."},
  {&C::denied_subscribes,  "naru_denied_subscribes_total",  counter, "Filters of SUBSCRIBEs a right was missing for."},
  {&C::denied_deliveries,  "naru_denied_deliveries_total",  counter, "Messages not delivered because their client may not read the topic."},
  {&C::no_match,           "naru_no_match_total",           counter, "Publishes nobody wanted."},
  {&C::repeated,           "naru_repeated_total",           counter, "Steps seen before and not taken again."},
  {&C::failed_commits,     "naru_failed_commits_total",     counter, "Units the store could not commit."},
  {&C::dead_letters,       "naru_dead_letters_total",       counter, "Records in the dead-letter stream."},
  {&C::delayed_published,  "naru_delayed_published_total",  counter, "Delayed publishes ($delayed/SECONDS/TOPIC) that were due and went out."},
  {&C::refused_delayed,    "naru_refused_delayed_total",    counter, "Delayed publishes refused because max_delayed_messages of their client were waiting."},
  {&C::wills,              "naru_wills_total",              counter, "Wills published."},
  {&C::commands,           "naru_commands_total",           counter, "Commands submitted."},
  {&C::stream_records,     "naru_stream_records_total",     counter, "Records appended to streams."},
  {&C::protocol_errors,    "naru_protocol_errors_total",    counter, "Packets that broke the protocol."},
  {&C::held_clients,       "naru_held_clients_total",       counter, "Times a client of 3.x, which cannot be told of a full disk or of max_delayed_messages, was held for it."},
  {&C::refused_disk_full,  "naru_refused_disk_full_total",  counter, "Requests refused because the disk is too full for them, or memory_limit is reached."},
});
// clang-format on

static_assert(rows.size() * sizeof(std::uint64_t) == sizeof(ShardCounters),
              "each counter has its row");

}  // namespace

std::span<const MetricRow<ShardCounters>> counter_rows() { return rows; }

Bytes short_name(const MetricRow<ShardCounters>& row) {
  BytesView name = row.name;
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  Bytes full{name};
  if (!row.label.name.empty()) full.append("_").append(row.label.value);
  return full;
}

}  // namespace naru::broker

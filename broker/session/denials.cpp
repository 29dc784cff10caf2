#include "broker/session/denials.hpp"

#include <array>
#include <utility>

namespace naru::broker {

namespace {

using mqtt::ReasonCode;
using C = ShardCounters;

struct KindRow {
  const char* name;
  std::uint64_t ShardCounters::*counter;
  ReasonCode reason = ReasonCode::not_authorized;
  const char* why = "";
};
// In the order of Denial::Kind.
// clang-format off
constexpr auto kinds = std::to_array<KindRow>({
  {"connect",    &C::denied_connects},
  {"publish",    &C::denied_publishes},
  {"subscribe",  &C::denied_subscribes},
  {"deliver",    &C::denied_deliveries},
  {"connection", &C::turned_away_full,         ReasonCode::quota_exceeded,           "there are as many connections as max_connections or global_max_connections allows"},
  {"connection", &C::turned_away_address_full, ReasonCode::quota_exceeded,           "its address has as many connections as max_connections_per_address allows"},
  {"connection", &C::turned_away_rate,         ReasonCode::connection_rate_exceeded, "there are more new connections a second than max_connection_rate allows"},
  {"connection", &C::turned_away_address_rate, ReasonCode::connection_rate_exceeded, "its address makes more new connections a second than max_connection_rate_per_address allows"},
  {"connection", &C::turned_away_memory,       ReasonCode::server_busy,              "memory_limit is reached"},
  {"connection", &C::turned_away_late,         ReasonCode::unspecified_error,        "it did not come in within connect_timeout"},
  {"subscribe",  &C::beyond_filter_levels,     ReasonCode::topic_filter_invalid,     "the filter has more levels than max_filter_levels allows, or more than 4096 bytes"},
  {"subscribe",  &C::beyond_subscriptions,     ReasonCode::quota_exceeded,           "it has as many filters as max_client_subscriptions allows, or the disk has no room for more"},
  {"rate",       &C::beyond_rate,              ReasonCode::message_rate_too_high,    "it sends faster than max_client_publish_rate or max_client_byte_rate allows"},
  {"publish",    &C::beyond_unreleased,        ReasonCode::quota_exceeded,           "it has 16 MB of QoS 2 messages open without PUBREL"},
});
// clang-format on

const KindRow& row_of(Denial::Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }

}  // namespace

std::optional<NotOffered> find_not_offered(const ShardSettings& settings, const Peer& peer,
                                           mqtt::Qos qos, bool retain) {
  if (qos > peer.max_qos) {
    return NotOffered{ReasonCode::qos_not_supported, "its QoS is above max_qos of the listener"};
  }
  if (retain && !settings.retain_available) {
    return NotOffered{ReasonCode::retain_not_supported, "retain_available is false"};
  }
  return std::nullopt;
}

const char* name_of(Denial::Kind kind) { return row_of(kind).name; }
mqtt::ReasonCode reason_of(Denial::Kind kind) { return row_of(kind).reason; }
const char* why_of(Denial::Kind kind) { return row_of(kind).why; }

bool Denials::take(Denial::Kind kind, BytesView client_id, Instant now) {
  ++(counters_.*row_of(kind).counter);
  const RateLimit::Verdict verdict = limit_.ask(client_id, now);
  more_ = verdict.swallowed;
  return verdict.pass;
}

void Denials::tell(Denial denial) {
  denial.more = more_;
  output_.denials.push_back(std::move(denial));
}

void Denials::turn_away(Denial::Kind kind, BytesView address, Instant now) {
  // Whatever its port.
  if (!take(kind, address.substr(0, address.rfind(':')), now)) return;
  tell({kind, {}, {}, Bytes{address}, {}, why_of(kind), 0});
}

}  // namespace naru::broker

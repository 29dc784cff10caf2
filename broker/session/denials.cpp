#include "broker/session/denials.hpp"

#include <array>
#include <utility>

#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

using mqtt::ReasonCode;
using C = ShardCounters;

struct KindRow {
  const char* name;
  std::uint64_t ShardCounters::*counter;  // None: it is counted where it is found.
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
  {"protocol",   nullptr,                      ReasonCode::protocol_error},
  {"keep_alive", nullptr,                      ReasonCode::keep_alive_timeout,       "nothing came from it for one and a half times its keep alive"},
});
// clang-format on

const KindRow& row_of(Denial::Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }

// Between characters.
void cut(Bytes& text, std::size_t most = Denials::held_text_most) {
  if (text.size() <= most) return;
  std::size_t end = most;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
  text = text.substr(0, end) + "...";
}

// No name has a zero byte in it.
void write_key(Denial::Kind kind, const DeniedClient& who, Bytes& key) {
  key.assign(1, static_cast<char>(kind));
  key.append(who.client_id.substr(0, limits::client_id_bytes)).push_back('\0');
  key.append(who.user.substr(0, Denials::held_text_most)).push_back('\0');
  key.append(who.host);
}

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

void Denials::count(Denial::Kind kind) {
  if (const auto counter = row_of(kind).counter) ++(counters_.*counter);
}

bool Denials::take(Denial::Kind kind, const DeniedClient& who, Instant now) {
  count(kind);
  write_key(kind, who, key_);
  auto place = places_.find(key_);
  if (place == places_.end() && places_.size() >= places_most) {
    key_.clear();  // The place of all who find none.
    place = places_.find(key_);
  }
  holder_ = nullptr;
  if (place == places_.end()) {
    place = places_.emplace(key_, nullptr).first;
    ends_.push_back({now + minute, place});
    return true;
  }
  if (place->second) {
    ++place->second->more;
    return false;
  }
  holder_ = &place->second;
  return true;
}

void Denials::tell(Denial denial) {
  if (holder_ == nullptr) {
    output_.denials.push_back(std::move(denial));
    return;
  }
  cut(denial.client_id, limits::client_id_bytes);
  for (Bytes* const text : {&denial.user, &denial.topic, &denial.why}) cut(*text);
  *holder_ = std::make_unique<Denial>(std::move(denial));
}

void Denials::insist(Denial denial) {
  count(denial.kind);
  output_.denials.push_back(std::move(denial));
}

void Denials::turn_away(Denial::Kind kind, BytesView address, Instant now) {
  if (!take(kind, {{}, {}, host_of(address)}, now)) return;
  tell({kind, {}, {}, Bytes{address}, {}, why_of(kind), 0});
}

void Denials::on_time(Instant now) {
  while (next() <= now && !ends_.empty()) {
    const Places::iterator place = ends_.front().place;
    ends_.pop_front();
    if (!place->second) {
      places_.erase(place);
      continue;
    }
    output_.denials.push_back(std::move(*place->second));
    place->second.reset();
    ends_.push_back({now + minute, place});
  }
}

}  // namespace naru::broker

// Front's part that takes subscriptions.

#include <algorithm>

#include "broker/mqtt/topics.hpp"
#include "broker/session/answers.hpp"
#include "broker/session/connection_values.hpp"
#include "broker/session/filter_quota.hpp"
#include "broker/session/front.hpp"
#include "broker/session/subscription_options.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

constexpr BytesView many_filters = "it names more than 1,024 filters";
static_assert(limits::filters_per_packet == 1024);

mqtt::Qos granted_qos(const Connection& c, const mqtt::SubscribeEntry& entry) {
  return std::min(entry.qos, c.peer.max_qos);
}

// The subscription options byte of MQTT 5, section 3.8.3.1.
std::uint8_t options_of(const Connection& c, const mqtt::SubscribeEntry& entry) {
  // A bridge of 3.x cannot ask for these two.
  const bool bridge = c.is_bridge && c.version != mqtt::Version::v5;
  return static_cast<std::uint8_t>(
      static_cast<int>(granted_qos(c, entry)) | (entry.no_local || bridge ? no_local : 0) |
      (entry.retain_as_published || bridge ? retain_as_published : 0) | entry.retain_handling << 4);
}

}  // namespace

// The code of one filter in the SUBACK: the granted QoS, or why not.
std::uint8_t Front::judge_filter(const Connection& c, const mqtt::SubscribeEntry& entry) {
  const auto code = [](ReasonCode reason) { return static_cast<std::uint8_t>(reason); };
  const auto levels = static_cast<std::size_t>(std::ranges::count(entry.filter, '/')) + 1;
  if (levels > settings_.limits.filter_levels || entry.filter.size() > limits::topic_bytes) {
    explain(c, Denial::Kind::filter_levels, entry.filter, why_of(Denial::Kind::filter_levels));
    return code(reason_of(Denial::Kind::filter_levels));
  }
  // 3.x subscriptions are accepted, as in mosquitto, and deliver what may be read.
  if (c.is_ruled() && c.version == mqtt::Version::v5 &&
      !may(c, Denial::Kind::subscribe, entry.filter)) {
    return code(ReasonCode::not_authorized);
  }
  if (!was_granted(c, Denial::Kind::subscribe, entry.filter)) {
    return code(ReasonCode::not_authorized);
  }
  return static_cast<std::uint8_t>(granted_qos(c, entry));
}

// Asks about all filters at once.
bool Front::knows_rights(Connection& c, const mqtt::Subscribe& packet) {
  std::size_t count = 0;
  for (const mqtt::SubscribeEntry& entry : packet.entries) {
    if (++count > limits::filters_per_packet) break;  // It will be refused.
    if (c.acl && !c.acl->check_filter(subject_of(c), entry.filter).allowed) continue;
    knows_right(c, Denial::Kind::subscribe, entry.filter);
  }
  return c.rights_open == 0;
}

void Front::on_subscribe(Connection& c, const mqtt::Frame& frame) {
  mqtt::Subscribe packet;
  const mqtt::DecodeError error = mqtt::decode_subscribe(frame, c.version, packet);
  if (error != mqtt::DecodeError::none) return fail(c, frame, error);
  if (c.joining.contains(packet.packet_id)) {
    return break_off(c, ReasonCode::protocol_error, mqtt::PacketType::subscribe,
                     "its packet id is that of a SUBSCRIBE without an answer yet");
  }
  if (c.asks_rights && !knows_rights(c, packet)) return;
  std::vector<storage::FilterRow> rows;
  Bytes codes;
  Joining joining;
  for (const mqtt::SubscribeEntry& entry : packet.entries) {
    if (codes.size() >= limits::filters_per_packet) {
      return break_off(c, ReasonCode::quota_exceeded, mqtt::PacketType::subscribe, many_filters);
    }
    const std::uint8_t code = judge_filter(c, entry);
    codes.push_back(static_cast<char>(code));
    if (code >= 0x80) continue;
    rows.push_back({Bytes{entry.filter}, options_of(c, entry), packet.subscription_id});
    if (mqtt::is_shared(entry.filter)) joining.groups.emplace_back(codes.size() - 1, rows.back());
  }
  if (!joining.groups.empty()) c.joining[packet.packet_id] = std::move(joining);
  ++c.subscribes_open;
  hop::Subscribe wanted{c.lane,          c.id, c.session, packet.packet_id, std::move(rows),
                        std::move(codes)};
  if (c.session == 0) return subscribe_clean(c, std::move(wanted));
  output_.hops[settings_.shard].emplace_back(std::move(wanted));
}

void Front::subscribe_clean(Connection& c, hop::Subscribe wanted) {
  refuse_beyond_limit(c.filters, wanted.filters, wanted.codes, settings_.limits.subscriptions);
  std::vector<storage::FilterRow> retained_for;
  for (storage::FilterRow& row : wanted.filters) {
    const auto same = std::ranges::find(c.filters, row.filter, &storage::FilterRow::filter);
    const bool is_new = same == c.filters.end();
    const bool shared = mqtt::is_shared(row.filter);  // Its group has the route.
    if (!is_new) retained_.forget(c.id, row.filter);
    if (!shared) {
      Route route = route_of(c);
      route.options = row.options;
      route.subscription_id = row.subscription_id;
      routes_.add(row.filter, route);
    }
    const int handling = row.options >> 4 & 3;
    if (!shared && (handling == 0 || (handling == 1 && is_new))) retained_for.push_back(row);
    if (is_new) {
      c.filters.push_back(std::move(row));
    } else {
      *same = std::move(row);
    }
  }
  answer_subscribe(c, {c.id, wanted.packet_id, std::move(wanted.codes), std::move(retained_for)});
  const Bytes own_commands = settings_.command_prefix + '/' + c.client_id + "/commands/x";
  const bool takes_commands = std::ranges::any_of(c.filters, [&](const storage::FilterRow& row) {
    return (row.options & 3) != 0 && !mqtt::is_shared(row.filter) &&
           mqtt::filter_matches(row.filter, own_commands);
  });
  if (takes_commands) {
    output_.hops[settings_.shard].emplace_back(hop::CommandOffer{c.client_id, c.id});
  }
}

void Front::on(hop::Subscribed& subscribed) {
  Connection* const c = find(subscribed.connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  answer_subscribe(*c, std::move(subscribed));
}

// Nothing is missing any more but what is retained.
void Front::finish_subscribe(Connection& c, hop::Subscribed subscribed) {
  --c.subscribes_open;
  c.publish_waits = false;
  hop::RetainedQuery query{c.id, c.lane, c.session, std::move(subscribed.retained_for), {}, 0};
  if (!retained_.ask(std::move(query), subscribed)) {
    ++c.fences_open;  // What follows on the wire is later than the query.
    return;
  }
  suback(c, subscribed.packet_id, subscribed.codes);
}

void Front::on(const hop::FencePassed& passed) {
  const auto subscribed = retained_.on(passed);
  if (!subscribed) return;
  Connection* const c = find(subscribed->connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  --c->fences_open;
  suback(*c, subscribed->packet_id, subscribed->codes);
}

void Front::suback(Connection& c, mqtt::PacketId id, BytesView codes) {
  const std::size_t before = c.output.size();
  write_suback(c, id, codes);
  end_if_too_large(c, before);
  touch(c);
}

void Front::on_unsubscribe(Connection& c, const mqtt::Frame& frame) {
  mqtt::Unsubscribe packet;
  const mqtt::DecodeError error = mqtt::decode_unsubscribe(frame, c.version, packet);
  if (error != mqtt::DecodeError::none) return fail(c, frame, error);
  std::vector<Bytes> filters;
  for (const BytesView filter : packet.filters) {
    if (filters.size() >= limits::filters_per_packet) {
      return break_off(c, ReasonCode::quota_exceeded, mqtt::PacketType::unsubscribe, many_filters);
    }
    filters.emplace_back(filter);
  }
  if (c.session != 0) {
    output_.hops[settings_.shard].emplace_back(
        hop::Unsubscribe{c.lane, c.id, c.session, packet.packet_id, std::move(filters)});
    return;
  }
  hop::Unsubscribed done{c.id, packet.packet_id, {}};
  for (const Bytes& filter : filters) {
    const auto same = std::ranges::find(c.filters, filter, &storage::FilterRow::filter);
    const bool known = same != c.filters.end();
    retained_.forget(c.id, filter);
    if (known && mqtt::is_shared(filter)) {
      tell_group(c, MemberState::left, *same, 0);
    } else if (known) {
      routes_.remove(filter, route_of(c));
    }
    if (known) c.filters.erase(same);
    done.codes.push_back(known ? '\0' : static_cast<char>(ReasonCode::no_subscription_existed));
  }
  on(done);
}

void Front::on(const hop::Unsubscribed& unsubscribed) {
  Connection* const c = find(unsubscribed.connection);
  if (c == nullptr || c->state != Connection::State::live) return;
  const bool failed = std::ranges::any_of(
      unsubscribed.codes, [](char code) { return static_cast<std::uint8_t>(code) >= 0x80; });
  // An UNSUBACK of 3.x says yes and nothing else.
  if (failed && c->version != mqtt::Version::v5) return end_for_room(*c);
  const std::size_t before = c->output.size();
  write_unsuback(*c, unsubscribed.packet_id, unsubscribed.codes);
  end_if_too_large(*c, before);
  touch(*c);
}

}  // namespace naru::broker

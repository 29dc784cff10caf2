#include "broker/session/lane_filters.hpp"

#include <algorithm>

#include "broker/mqtt/topics.hpp"
#include "broker/session/filter_quota.hpp"
#include "broker/session/lane_queues.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t no_subscription_existed = 0x11;
constexpr std::uint8_t quota_exceeded = 0x97;
constexpr std::uint8_t unspecified_error = 0x80;  // An UNSUBACK has no word for a full disk.

// Retain handling of MQTT 5: 0 always, 1 when the subscription is new, 2 never.
bool wants_retained(const FilterRow& row, bool is_new) {
  if (mqtt::is_shared(row.filter)) return false;
  const int handling = row.options >> 4 & 3;
  return handling == 0 || (handling == 1 && is_new);
}

}  // namespace

void LaneFilters::on(hop::Subscribe& subscribe) {
  LaneState& lane = context_.led(subscribe.lane);
  Session* const session = lane.find_session(subscribe.session);
  if (session == nullptr) return;
  session->filter_hops.emplace_back(std::move(subscribe));
  go_on(lane, *session);
}

void LaneFilters::on(hop::Unsubscribe& unsubscribe) {
  LaneState& lane = context_.led(unsubscribe.lane);
  Session* const session = lane.find_session(unsubscribe.session);
  if (session == nullptr) return;
  session->filter_hops.emplace_back(std::move(unsubscribe));
  go_on(lane, *session);
}

void LaneFilters::go_on(LaneState& lane, Session& session) {
  while (!session.filters_in_flight && !session.filter_hops.empty()) {
    auto next = std::move(session.filter_hops.front());
    session.filter_hops.pop_front();
    if (auto* subscribe = std::get_if<hop::Subscribe>(&next)) {
      if (subscribe->connection == session.connection) this->subscribe(lane, session, *subscribe);
    } else {
      auto& unsubscribe = std::get<hop::Unsubscribe>(next);
      if (unsubscribe.connection == session.connection) {
        this->unsubscribe(lane, session, unsubscribe);
      }
    }
  }
}

// The record is committed, or has failed.
void LaneFilters::settled(LaneState& lane, SessionNumber number) {
  Session* const session = lane.find_session(number);
  if (session == nullptr) return;
  session->filters_in_flight = false;
  if (!session->filter_hops.empty()) queues_.touch(lane, *session);
}

void LaneFilters::subscribe(LaneState& lane, Session& session, hop::Subscribe& subscribe) {
  refuse_beyond_limit(session.filters, subscribe.filters, subscribe.codes,
                      context_.settings.limits.subscriptions);
  hop::Subscribed done{subscribe.connection, subscribe.packet_id, subscribe.codes, {}};
  hop::Subscribed refused = done;
  for (char& code : refused.codes) {
    if (static_cast<std::uint8_t>(code) < 0x80) code = static_cast<char>(quota_exceeded);
  }
  if (subscribe.filters.empty()) return context_.to_front(subscribe.connection, std::move(done));
  if (!context_.room.sessions) {
    ++context_.counters.refused_disk_full;
    return context_.to_front(subscribe.connection, std::move(refused));
  }
  for (const FilterRow& row : subscribe.filters) {
    if (wants_retained(row, !has_filter(session, row.filter))) done.retained_for.push_back(row);
  }
  session.filters_in_flight = true;
  UnitDraft unit{context_.units};
  unit.add(lane, FiltersPut{session.number, std::move(subscribe.filters)});
  unit.reply(shard_of(subscribe.connection), std::move(done), std::move(refused));
  unit.submit(true);
}

void LaneFilters::unsubscribe(LaneState& lane, Session& session, hop::Unsubscribe& unsubscribe) {
  hop::Unsubscribed done{unsubscribe.connection, unsubscribe.packet_id, {}};
  FiltersErased body{session.number, {}};
  for (Bytes& filter : unsubscribe.filters) {
    const bool known = has_filter(session, filter);
    done.codes.push_back(known ? '\0' : static_cast<char>(no_subscription_existed));
    if (known) body.filters.push_back(std::move(filter));
  }
  if (body.filters.empty()) return context_.to_front(unsubscribe.connection, std::move(done));
  hop::Unsubscribed refused = done;
  refused.codes.assign(done.codes.size(), static_cast<char>(unspecified_error));
  session.filters_in_flight = true;
  UnitDraft unit{context_.units};
  unit.add(lane, std::move(body));
  unit.reply(shard_of(unsubscribe.connection), std::move(done), std::move(refused));
  unit.submit(true);
}

}  // namespace naru::broker

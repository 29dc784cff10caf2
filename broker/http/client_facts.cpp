#include "broker/http/client_facts.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/session/shard_core.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

namespace {

const char* protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case 3: return "3.1";
    case 5: return "5.0";
    default: return "3.1.1";
  }
}

Json time_json(const std::optional<WallMillis>& at) { return at ? Json(*at) : Json(nullptr); }
Json text_json(const Bytes& text) { return text.empty() ? Json(nullptr) : Json(text); }

void add_session(ClientFacts& facts, const Client& client) {
  const storage::SessionRow& row = client.row;
  facts.session = true;
  facts.user = row.identity;
  facts.protocol = row.protocol;
  facts.session_expiry_s = row.expiry_s;
  facts.epoch = row.epoch;
  facts.filters = client.session->filters;
  facts.queued = client.session->queue.waiting();
  facts.in_flight = client.session->queue.in_flight();
  if (!row.connected) {
    facts.disconnected_at = row.changed_wall;
    facts.reason = row.reason;
  }
}

void add_presence(ClientFacts& facts, const Presence& presence, const Front& front) {
  facts.connected = true;
  facts.user = presence.identity;
  facts.address = presence.address;
  facts.protocol = presence.protocol;
  facts.clean_start = presence.clean_start;
  facts.keep_alive_s = presence.keep_alive_s;
  facts.connected_at = presence.connected_at;
  facts.disconnected_at.reset();
  facts.epoch = presence.epoch;
  const Connection* const connection = front.find(presence.connection);
  if (connection == nullptr || connection->session != 0) return;
  facts.filters = connection->filters;
  facts.in_flight = connection->window.in_flight();
  facts.queued = connection->waiting.size() + facts.in_flight;
}

}  // namespace

Json client_json(const ClientFacts& client) {
  Json json;
  json["client_id"] = client.client_id;
  json["connected"] = client.connected;
  json["user"] = text_json(client.user);
  json["address"] = text_json(client.address);
  json["protocol"] = protocol_name(client.protocol);
  json["clean_start"] = client.clean_start;
  json["session"] = client.session;
  json["session_expiry_s"] = client.session_expiry_s;
  json["keep_alive_s"] = client.keep_alive_s;
  json["connected_at"] = time_json(client.connected_at);
  json["disconnected_at"] = time_json(client.disconnected_at);
  json["reason"] = nullptr;
  if (client.disconnected_at) {
    json["reason"] = client.reason == 0 ? "normal_disconnection"
                                        : mqtt::name(static_cast<mqtt::ReasonCode>(client.reason));
  }
  json["epoch"] = client.epoch;
  Json& subscriptions = json["subscriptions"] = Json::array();
  for (const storage::FilterRow& filter : client.filters) {
    Json& subscription = subscriptions.emplace_back();
    subscription["filter"] = filter.filter;
    subscription["qos"] = filter.options & 3;
  }
  json["queued"] = client.queued;
  json["in_flight"] = client.in_flight;
  return json;
}

std::optional<ClientFacts> find_client(ShardCore& core, BytesView client_id) {
  LaneShard& lanes = core.lanes();
  ClientFacts facts;
  facts.client_id = Bytes{client_id};
  const cluster::LaneId lane = cluster::lane_of(client_id);
  const Client* const client =
      lanes.leads(lane) ? lanes.lane(lane).find_client(client_id) : nullptr;
  if (client != nullptr && client->session) add_session(facts, *client);
  const auto presence = lanes.present().find(client_id);
  if (presence != lanes.present().end()) add_presence(facts, presence->second, core.front());
  if (!facts.connected && !facts.session) return std::nullopt;
  return facts;
}

std::vector<ClientFacts> clients_after(ShardCore& core, BytesView after, std::size_t limit) {
  std::vector<BytesView> ids;
  for (const auto& [client_id, presence] : core.lanes().present()) {
    if (client_id > after) ids.emplace_back(client_id);
  }
  core.lanes().each_lane([&](const LaneState& lane) {
    for (const auto& [client_id, client] : lane.clients()) {
      const bool counted = core.lanes().present().contains(client_id);
      if (client.session && !counted && client_id > after) ids.emplace_back(client_id);
    }
  });
  const std::size_t count = std::min(limit, ids.size());
  std::ranges::partial_sort(ids, ids.begin() + static_cast<std::ptrdiff_t>(count));
  ids.resize(count);
  std::vector<ClientFacts> clients;
  for (const BytesView id : ids) {
    if (auto client = find_client(core, id)) clients.push_back(std::move(*client));
  }
  return clients;
}

}  // namespace naru::broker

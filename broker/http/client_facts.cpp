#include "broker/http/client_facts.hpp"

#include <nlohmann/json.hpp>

#include "broker/mqtt/topics.hpp"
#include "broker/session/connection_values.hpp"
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

BytesView reason_name(std::uint8_t reason) {
  return reason == 0 ? BytesView{"normal_disconnection"}
                     : mqtt::name(static_cast<mqtt::ReasonCode>(reason));
}

void add_will(ClientFacts& facts, const storage::SessionRow& row) {
  if (!row.will) return;
  const auto message = storage::Message::decode(Bytes{*row.will->message});
  if (!message) return;
  const storage::MessageView& view = message->view();
  facts.will = ClientFacts::Will{Bytes{view.topic}, view.qos, view.retain, view.payload.size(),
                                 row.will->delay_s};
}

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
  facts.queued_bytes = client.session->queue.bytes();
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
  facts.window = presence.window;
  const Connection* const connection = front.find(presence.connection);
  if (connection == nullptr) return;
  if (connection->rate) {
    facts.throttled = connection->rate->waits;
    facts.is_throttled = connection->rate->waiting;
  }
  facts.variables = named_values(*connection);
  if (connection->session != 0) return;
  facts.filters = connection->filters;
  facts.in_flight = connection->window.in_flight();
  facts.queued = connection->waiting.size() + facts.in_flight;
  facts.queued_bytes = connection->waiting.bytes();
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
  if (client.disconnected_at) json["reason"] = reason_name(client.reason);
  json["epoch"] = client.epoch;
  Json& subscriptions = json["subscriptions"] = Json::array();
  for (const storage::FilterRow& filter : client.filters) {
    subscriptions.push_back(subscription_json(filter));
  }
  json["queued"] = client.queued;
  json["in_flight"] = client.in_flight;
  json["queued_bytes"] = client.queued_bytes;
  json["window"] = client.window;
  json["throttled"] = client.throttled;
  json["is_throttled"] = client.is_throttled;
  Json& variables = json["variables"] = Json::object();
  for (const auto& [name, value] : client.variables) variables[name] = text_json(value);
  json["lane"] = cluster::lane_of(client.client_id);
  Json& will = json["will"] = nullptr;
  if (client.will) {
    will["topic"] = client.will->topic;
    will["qos"] = client.will->qos;
    will["retain"] = client.will->retain;
    will["payload_bytes"] = client.will->payload_bytes;
    will["delay_s"] = client.will->delay_s;
  }
  return json;
}

// Bits of the options as in SUBSCRIBE.
Json subscription_json(const storage::FilterRow& filter) {
  Json json;
  json["filter"] = filter.filter;
  const auto shared = mqtt::parse_shared(filter.filter);
  json["group"] = shared ? Json(Bytes{shared->group}) : Json(nullptr);
  json["qos"] = filter.options & 3;
  json["no_local"] = (filter.options & 4) != 0;
  json["retain_as_published"] = (filter.options & 8) != 0;
  json["retain_handling"] = filter.options >> 4 & 3;
  json["subscription_id"] = nullptr;
  if (filter.subscription_id != 0) json["subscription_id"] = filter.subscription_id;
  return json;
}

std::vector<Bytes> explain(const ClientFacts& client) {
  std::vector<Bytes> told;
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  if (client.connected) {
    told.push_back("It is connected from " + client.address + " with MQTT " +
                   protocol_name(client.protocol) + ".");
  } else if (!client.disconnected_at) {
    told.push_back("It has just gone; why is on its way to the disk.");
  } else {
    told.push_back("It is away; its last connection ended with " +
                   Bytes{reason_name(client.reason)} + ".");
  }
  if (!client.session) {
    told.push_back("Its session ends with the connection: nothing is kept for it.");
  } else if (client.session_expiry_s == 0xffffffff) {
    told.push_back("Its session is kept until it is taken away.");
  } else if (client.session_expiry_s != 0) {
    told.push_back("Its session is kept for " + number(client.session_expiry_s) +
                   " s after a disconnect.");
  }
  if (client.filters.empty()) told.push_back("It has no subscription, so it gets no messages.");
  if (client.throttled != 0) {
    told.push_back("It has sent faster than its limit " + number(client.throttled) +
                   " times and was made to wait" + (client.is_throttled ? ", as it is now." : "."));
  }
  for (const auto& [name, value] : client.variables) {
    told.push_back("Its rights know " + name + " as '" + value + "'.");
    if (value.empty()) told.back() = "Its rights name " + name + ", for which it has no value.";
  }
  if (client.queued == 0) return told;
  if (!client.connected) {
    told.push_back(number(client.queued) + " messages wait until it connects.");
  } else if (client.window != 0 && client.in_flight >= client.window) {
    told.push_back(number(client.queued) + " messages wait: its window of " +
                   number(client.window) + " is full, because it does not acknowledge.");
  } else {
    told.push_back(number(client.queued) + " messages are not acknowledged yet, " +
                   number(client.in_flight) + " of them sent.");
  }
  return told;
}

std::optional<ClientFacts> find_client(ShardCore& core, BytesView client_id) {
  LaneShard& lanes = core.lanes();
  ClientFacts facts;
  facts.client_id = Bytes{client_id};
  const cluster::LaneId lane = cluster::lane_of(client_id);
  const Client* const client =
      lanes.leads(lane) ? lanes.lane(lane).find_client(client_id) : nullptr;
  if (client != nullptr) add_will(facts, client->row);
  if (client != nullptr && client->session) add_session(facts, *client);
  const Presence* const presence = lanes.present(client_id);
  if (presence != nullptr) add_presence(facts, *presence, core.front());
  if (!facts.connected && !facts.session) return std::nullopt;
  return facts;
}

}  // namespace naru::broker

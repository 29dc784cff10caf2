// /v1/clients and /v1/subscriptions: who is connected or has a session, and what they want.

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/http/client_walk.hpp"
#include "broker/http/routes.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/session/shard_core.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

constexpr std::size_t kick_text_max = 200;
constexpr std::uint64_t settling_seconds = 5;  // For a client that is just coming or going.

HttpResponse no_such_client(BytesView client_id) {
  return refuse(404, "no client '" + Bytes{client_id} + "' is connected or has a session");
}

awaitable<std::optional<ClientFacts>> ask_client(Control* control, Bytes client_id) {
  Question<std::optional<ClientFacts>> question = [client_id](ShardCore& core) {
    return find_client(core, client_id);
  };
  auto asking =
      ask<std::optional<ClientFacts>>(control, control->shard_of(client_id), std::move(question));
  std::optional<ClientFacts> client = co_await std::move(asking);
  co_return client;
}

enum class Ended : std::uint8_t { yes, not_yet, failed };

awaitable<Ended> try_end(Control* control, Bytes client_id) {
  auto submitted = std::make_shared<bool>(false);
  std::function<bool(ShardCore&, std::uint64_t)> end = [client_id, submitted](
                                                           ShardCore& core, std::uint64_t request) {
    *submitted = core.lanes().end_session(client_id, request);
    return *submitted;
  };
  auto committing = control->commit(control->shard_of(client_id), std::move(end));
  const bool committed = co_await std::move(committing);
  if (!committed) co_return Ended::failed;
  co_return *submitted ? Ended::yes : Ended::not_yet;
}

Json ended_json(const ClientFacts& client) {
  log(Severity::notice, "session_ended", {{"client", client.client_id}, {"queued", client.queued}});
  Json body;
  body["client_id"] = client.client_id;
  body["ended"] = true;
  body["queued"] = client.queued;
  return body;
}

// Where the page after this one begins; null after the last.
Json next_of(const FoundClients& found) {
  return found.more && !found.clients.empty() ? Json(found.clients.back().client_id)
                                              : Json(nullptr);
}

// What ?filter=F (that very filter) or ?topic=T (all that match it) ask for.
Result<std::function<bool(BytesView)>> wanted_filter(const Query& query) {
  const Bytes filter = text_parameter(query, "filter");
  const Bytes topic = text_parameter(query, "topic");
  if (!filter.empty() && !topic.empty()) {
    return Error{Errc::invalid, "give a filter or a topic, not both"};
  }
  std::function<bool(BytesView)> wants = [](BytesView) { return true; };
  if (!filter.empty()) wants = [filter](BytesView each) { return each == filter; };
  if (!topic.empty()) {
    if (topic.find_first_of("+#") != Bytes::npos) {
      return Error{Errc::invalid, "topic must have no wildcards; use filter for those"};
    }
    wants = [topic](BytesView each) { return mqtt::filter_matches(each, topic); };
  }
  return wants;
}

void add_subscriptions(Json& list, const ClientFacts& client,
                       const std::function<bool(BytesView)>& wants) {
  for (const storage::FilterRow& filter : client.filters) {
    if (!wants(filter.filter)) continue;
    Json json;
    json["client_id"] = client.client_id;
    json["connected"] = client.connected;
    json.update(subscription_json(filter));
    list.push_back(std::move(json));
  }
}

}  // namespace

// GET /v1/clients?limit=N&after=CLIENT_ID&connected=true
Answer list_clients(Call call) {
  const auto limit = number_parameter(call.request.query, "limit", {1, 1000, 100});
  if (!limit) co_return refuse(limit.error());
  const auto connected = flag_parameter(call.request.query, "connected");
  if (!connected) co_return refuse(connected.error());
  ClientQuery query;
  query.after = text_parameter(call.request.query, "after");
  query.limit = static_cast<std::size_t>(*limit);
  query.connected = *connected;
  auto finding = find_clients(call.control, std::move(query));
  const FoundClients found = co_await std::move(finding);
  Json body;
  Json& list = body["clients"] = Json::array();
  for (const ClientFacts& client : found.clients) list.push_back(client_json(client));
  body["next"] = next_of(found);
  co_return reply(body);
}

// GET /v1/clients/CLIENT_ID
Answer get_client(Call call) {
  const Bytes client_id = call.request.path[2];
  auto asking = ask_client(call.control, client_id);
  const std::optional<ClientFacts> client = co_await std::move(asking);
  if (!client) co_return no_such_client(client_id);
  Json body = client_json(*client);
  body["explain"] = explain(*client);
  co_return reply(body);
}

// DELETE /v1/clients/CLIENT_ID/connection?reason=TEXT
Answer kick_client(Call call) {
  const Bytes client_id = call.request.path[2];
  const Bytes text = text_parameter(call.request.query, "reason");
  if (text.size() > kick_text_max || !mqtt::valid_utf8(text)) {
    co_return refuse(400, "reason must be text of at most " + std::to_string(kick_text_max) +
                              " bytes without control characters");
  }
  Question<bool> question = [client_id, text](ShardCore& core) {
    const Presence* const found = core.lanes().present(client_id);
    return found != nullptr && core.front().kick(found->connection, text);
  };
  auto asking = ask<bool>(call.control, call.control->shard_of(client_id), std::move(question));
  const bool kicked = co_await std::move(asking);
  if (!kicked) {
    co_return refuse(404, "client '" + client_id + "' is not connected; nothing was done");
  }
  log(Severity::notice, "client_kicked", {{"client", client_id}, {"reason", text}});
  Json body;
  body["client_id"] = client_id;
  body["kicked"] = true;
  co_return reply(body);
}

// DELETE /v1/clients/CLIENT_ID/session
Answer end_session(Call call) {
  const Bytes client_id = call.request.path[2];
  const NodeFacts facts = call.control->facts();
  for (const NodeFacts::Bridge& bridge : facts.bridges) {
    if (bridge.removed || bridge.client_id != client_id) continue;
    co_return refuse(409, "client '" + client_id + "' is bridge " + bridge.name +
                              "; take its connection section out of the configuration and "
                              "restart narud first");
  }
  Patience patience{call.request, settling_seconds};
  while (true) {
    auto asking = ask_client(call.control, client_id);
    const std::optional<ClientFacts> client = co_await std::move(asking);
    if (!client || !client->session) {
      co_return refuse(404, "client '" + client_id + "' has no session; nothing was done");
    }
    if (client->connected || patience.over()) {
      co_return refuse(409, "client '" + client_id +
                                "' is connected, and its session cannot be taken from it; "
                                "disconnect it first");
    }
    auto ending = try_end(call.control, client_id);
    const Ended ended = co_await std::move(ending);
    if (ended == Ended::failed) co_return not_committed();
    if (ended == Ended::yes) co_return reply(ended_json(*client));
    auto pausing = Patience::pause();
    co_await std::move(pausing);
  }
}

// GET /v1/subscriptions?filter=F|topic=T&client=ID&limit=CLIENTS&after=CLIENT_ID
Answer list_subscriptions(Call call) {
  const auto limit = number_parameter(call.request.query, "limit", {1, 1000, 100});
  if (!limit) co_return refuse(limit.error());
  const auto wants = wanted_filter(call.request.query);
  if (!wants) co_return refuse(wants.error());
  const Bytes client_id = text_parameter(call.request.query, "client");
  FoundClients found;
  if (client_id.empty()) {
    ClientQuery query;
    query.after = text_parameter(call.request.query, "after");
    query.limit = static_cast<std::size_t>(*limit);
    query.wants = *wants;
    auto finding = find_clients(call.control, std::move(query));
    found = co_await std::move(finding);
  } else {
    auto asking = ask_client(call.control, client_id);
    std::optional<ClientFacts> client = co_await std::move(asking);
    if (!client) co_return no_such_client(client_id);
    found.clients.push_back(std::move(*client));
  }
  Json body;
  Json& list = body["subscriptions"] = Json::array();
  for (const ClientFacts& client : found.clients) add_subscriptions(list, client, *wants);
  body["next"] = next_of(found);
  co_return reply(body);
}

}  // namespace naru::broker

// /v1/clients: who is connected or has a session.

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/http/ask.hpp"
#include "broker/http/client_facts.hpp"
#include "broker/http/routes.hpp"

namespace naru::broker {

// GET /v1/clients?limit=N&after=CLIENT_ID
Answer list_clients(Call call) {
  const auto limit = number_parameter(call.request.query, "limit", {1, 1000, 100});
  if (!limit) co_return refuse(limit.error());
  const Bytes after = text_parameter(call.request.query, "after");
  // One more than wanted tells whether there is a next page.
  const std::size_t wanted = static_cast<std::size_t>(*limit) + 1;
  Question<std::vector<ClientFacts>> question = [after, wanted](ShardCore& core) {
    return clients_after(core, after, wanted);
  };
  auto asking = ask_all<std::vector<ClientFacts>>(call.control, std::move(question));
  std::vector<std::vector<ClientFacts>> parts = co_await std::move(asking);
  std::vector<ClientFacts> clients;
  for (auto& part : parts) std::ranges::move(part, std::back_inserter(clients));
  std::ranges::sort(clients, {}, &ClientFacts::client_id);
  const bool more = clients.size() > *limit;
  if (more) clients.resize(static_cast<std::size_t>(*limit));
  Json body;
  Json& list = body["clients"] = Json::array();
  for (const ClientFacts& client : clients) list.push_back(client_json(client));
  body["next"] = more ? Json(clients.back().client_id) : Json(nullptr);
  co_return reply(body);
}

// GET /v1/clients/CLIENT_ID
Answer get_client(Call call) {
  const Bytes client_id = call.request.path[2];
  Question<std::optional<ClientFacts>> question = [client_id](ShardCore& core) {
    return find_client(core, client_id);
  };
  auto asking = ask<std::optional<ClientFacts>>(call.control, call.control->shard_of(client_id),
                                                std::move(question));
  const std::optional<ClientFacts> client = co_await std::move(asking);
  if (!client) {
    co_return refuse(404, "no client '" + client_id +
                              "' is connected or has a session; see /v1/clients for those that do");
  }
  co_return reply(client_json(*client));
}

}  // namespace naru::broker

// broker/http/http_message.hpp
//
// What the HTTP server hands to the API and gets back: one request as plain values, one response.
//
// Values of an edge; the server alone knows sockets and Beast. Lives on shard 0.
// Bounded by: the server's limits on headers and bodies.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "broker/http/awaitable.hpp"
#include "storage/base/bytes.hpp"

namespace naru::broker {

using Query = std::map<Bytes, Bytes, std::less<>>;

struct HttpRequest {
  Bytes method;
  std::vector<Bytes> path;  // Decoded segments: /v1/clients/a%2Fb is {"v1", "clients", "a/b"}.
  Query query;              // Decoded; of a name that repeats the last one counts.
  Bytes body;
  // True when nobody waits for the answer any more: the client is gone or the server stops. Ask
  // it between the steps of a long wait.
  std::function<bool()> abandoned = [] { return false; };
};

struct HttpResponse {
  unsigned status = 200;
  Bytes body;
  Bytes allow;  // Of 405: the methods there are.
  Bytes type = "application/json";
};

using Handler = std::function<awaitable<HttpResponse>(HttpRequest)>;

}  // namespace naru::broker

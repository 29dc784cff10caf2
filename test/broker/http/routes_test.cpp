// test/broker/http/routes_test.cpp
//
// Goal: every line of the contract has its route, and what has none is told apart: no such path,
// or not with this method. Method: a table of requests.

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "broker/http/api.hpp"
#include "broker/http/client_facts.hpp"
#include "broker/http/counters.hpp"

namespace naru::broker {

TEST_CASE("Each line of the contract has its route", "[http]") {
  struct Row {
    Bytes method;
    std::vector<Bytes> path;
    Answer (*route)(Call);
  };
  const auto row = GENERATE(values<Row>({
      {"GET", {"v1", "status"}, get_status},
      {"GET", {"v1", "metrics"}, get_metrics},
      {"GET", {"v1", "health", "live"}, get_live},
      {"GET", {"v1", "health", "ready"}, get_ready},
      {"GET", {"v1", "clients"}, list_clients},
      {"GET", {"v1", "clients", "a/b"}, get_client},
      {"DELETE", {"v1", "clients", "a/b", "connection"}, kick_client},
      {"DELETE", {"v1", "clients", "a/b", "session"}, end_session},
      {"GET", {"v1", "subscriptions"}, list_subscriptions},
      {"GET", {"v1", "retained"}, list_retained},
      {"DELETE", {"v1", "retained"}, clear_retained},
      {"GET", {"v1", "store"}, get_store},
      {"POST", {"v1", "store", "backup"}, post_backup},
      {"POST", {"v1", "devices", "d", "commands"}, post_command},
      {"GET", {"v1", "devices", "d", "commands"}, list_commands},
      {"GET", {"v1", "devices", "d", "commands", "7"}, get_command},
      {"DELETE", {"v1", "devices", "d", "commands", "7"}, cancel_command},
      {"GET", {"v1", "streams"}, list_streams},
      {"GET", {"v1", "streams", "s", "records"}, read_records},
      {"GET", {"v1", "streams", "s", "consumers"}, list_consumers},
      {"PUT", {"v1", "streams", "s", "consumers", "c"}, put_consumer},
  }));
  CHECK(choose_route(row.method, row.path).route == row.route);
}

TEST_CASE("A wrong method is told which ones there are", "[http]") {
  CHECK(choose_route("POST", {"v1", "status"}).allow == "GET");
  CHECK(choose_route("PUT", {"v1", "devices", "d", "commands"}).allow == "POST, GET");
}

TEST_CASE("An unknown path has no route", "[http]") {
  const auto path = GENERATE(values<std::vector<Bytes>>({
      {},
      {""},
      {"v1"},
      {"v2", "status"},
      {"v1", "status", ""},
      {"v1", "clients", ""},
      {"v1", "streams", "s"},
      {"v1", "devices", "d", "commands", "7", "8"},
  }));
  const RouteChoice choice = choose_route("GET", path);
  CHECK(choice.route == nullptr);
  CHECK(choice.allow.empty());
}

TEST_CASE("A number parameter is whole, in its range, or missing", "[http]") {
  CHECK(*number_parameter({}, "limit", {1, 1000, 100}) == 100);
  CHECK(*number_parameter({{"limit", "1000"}}, "limit", {1, 1000, 100}) == 1000);
  const Bytes text = GENERATE("", "0", "1001", "-1", "1.5", "ten", " 1", "99999999999999999999");
  CHECK_FALSE(number_parameter({{"limit", text}}, "limit", {1, 1000, 100}).has_value());
}

TEST_CASE("Counters have names that metrics and the status can use", "[http]") {
  for (const auto& row : counter_rows()) {
    CAPTURE(row.name);
    CHECK(is_metric_name(row.name, row.kind));
    CHECK_FALSE(row.help.empty());
    if (row.label.name.empty()) CHECK("naru_" + short_name(row) + "_total" == row.name);
  }
  CHECK(short_name(counter_rows()[0]) == "publishes_in");
  const auto dropped = std::ranges::find_if(
      counter_rows(), [](const auto& row) { return short_name(row) == "dropped_queue_full"; });
  CHECK(dropped != counter_rows().end());
}

TEST_CASE("A client is told as the contract says", "[http]") {
  ClientFacts client;
  client.client_id = "car1";
  client.protocol = 5;
  client.session = true;
  client.session_expiry_s = 600;
  client.disconnected_at = 1234;
  client.reason = 0x8b;
  client.epoch = 3;
  client.filters = {{"a/+", 0x29, 0}};
  client.queued = 4;
  client.variables = {{"${jwt.fleet}", "7"}, {"${cert.ou}", ""}};
  CHECK(dump(client_json(client)) ==
        R"({"client_id":"car1","connected":false,"user":null,"address":null,"protocol":"5.0",)"
        R"("clean_start":false,"session":true,"session_expiry_s":600,"keep_alive_s":0,)"
        R"("connected_at":null,"disconnected_at":1234,"reason":"server_shutting_down","epoch":3,)"
        R"("subscriptions":[{"filter":"a/+","group":null,"qos":1,"no_local":false,)"
        R"("retain_as_published":true,)"
        R"("retain_handling":2,"subscription_id":null}],"queued":4,"in_flight":0,)"
        R"("queued_bytes":0,"window":0,"throttled":0,)"
        R"("is_throttled":false,"variables":{"${jwt.fleet}":"7","${cert.ou}":null},)"
        R"("lane":250,"will":null})");
}

}  // namespace naru::broker

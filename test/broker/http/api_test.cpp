// test/broker/http/api_test.cpp
//
// Goal: the routes say what the shard's core knows and do what the contract promises.
// Method: a real core of one shard over the model store; every answer comes in a turn of its own.

#include "broker/http/api.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "broker/session/shard_core.hpp"
#include "broker/stream/rule.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/kv/mem_kv.hpp"

namespace naru::broker {
namespace {

class OpenGate final : public Gate {
 public:
  bool admits(BytesView, BytesView) const override { return true; }
};

constexpr WallMillis now_wall = 1'700'000'000'000;

// One shard, its committer and its reader, all on one thread.
class Node final : public Control {
 public:
  std::uint16_t shards() const override { return 1; }
  std::uint16_t shard_of(BytesView) const override { return 0; }
  awaitable<void> run(std::uint16_t, std::function<void(ShardCore&)> f) override {
    co_await boost::asio::post(io, boost::asio::use_awaitable);
    f(core);
  }
  awaitable<bool> commit(std::uint16_t, std::function<bool(ShardCore&, std::uint64_t)> f) override {
    co_await boost::asio::post(io, boost::asio::use_awaitable);
    core.begin_turn(Instant{}, 5000, now_wall);
    if (!f(core, ++requests_)) co_return true;
    settle();
    for (const Answered& answered : core.output().answered) {
      if (answered.request == requests_) co_return !answered.failed;
    }
    co_return false;
  }
  awaitable<void> read(std::function<void(const storage::KvStore&)> f) override {
    co_await boost::asio::post(io, boost::asio::use_awaitable);
    f(store);
  }
  NodeFacts facts() const override {
    NodeFacts facts;
    facts.id = "n1";
    facts.streams = {{"telemetry", 172'800}};
    if (listening) facts.listeners = {{"127.0.0.1", 1883}};
    facts.problems = problems;
    facts.subscriptions = routes.size();
    facts.room = room;
    facts.version = "1.2.3";
    facts.commits.times.add(Duration{100});
    return facts;
  }
  awaitable<StoreFacts> store_facts() override {
    StoreFacts facts;
    facts.families = {{"journal", 3, 1000}};
    co_return facts;
  }
  awaitable<Result<BackupTold>> backup(std::string directory) override {
    if (failing) co_return Error{Errc::no_space, "no room"};
    co_return BackupTold{directory, now_wall, 2, 70};
  }
  WallMillis wall() const override { return now_wall; }
  StoreMillis store_now() const override { return 5000; }

  // Ends the turn and commits until nothing is left to do.
  void settle() {
    for (core.end_turn(); !core.output().units.empty(); core.end_turn()) {
      std::vector<storage::CommitOutcome> outcomes;
      for (storage::CommitUnit& unit : std::exchange(core.output().units, {})) {
        if (!failing) REQUIRE(store.commit(unit.rows, storage::Durability::synced).has_value());
        outcomes.push_back({unit.ticket, ++journal_, std::nullopt});
        if (failing) outcomes.back().failure = Errc::no_space;
      }
      core.on_committed(outcomes);
    }
  }

  void append(BytesView stream, BytesView key, BytesView payload, WallMillis received_at) {
    storage::MessageView view;
    view.origin = {1, 1, 0, ++journal_};
    view.topic = "vehicles/x/telemetry";
    view.payload = payload;
    view.stamp.received_at = received_at;
    hop::StreamAppend append;
    append.lane = cluster::lane_of(key);
    append.stream = Bytes{stream};
    append.key = Bytes{key};
    append.message = Carried{storage::Message::make(view)};
    Hop hop{std::move(append)};
    core.begin_turn(Instant{}, 5000, now_wall);
    core.on_hop(hop);
    settle();
  }

  void retain(BytesView topic) {
    storage::MessageView view;
    view.topic = topic;
    view.payload = "x";
    Hop hop{hop::RetainedPut{Carried{storage::Message::make(view)}, {}}};
    core.begin_turn(Instant{}, 5000, now_wall);
    core.on_hop(hop);
    settle();
  }

  HttpResponse call(HttpRequest request) {
    HttpResponse response;
    const Handler api = make_api(*this);
    boost::asio::co_spawn(io, api(std::move(request)),
                          [&response](std::exception_ptr failure, HttpResponse answer) {
                            REQUIRE(failure == nullptr);
                            response = std::move(answer);
                          });
    io.restart();
    io.run();
    return response;
  }
  struct Told {
    unsigned status;
    Json body;
  };
  Told api(Bytes method, std::vector<Bytes> path, Query query = {}, Bytes body = {}) {
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.query = std::move(query);
    request.body = std::move(body);
    const HttpResponse response = call(std::move(request));
    return {response.status, Json::parse(response.body)};
  }

  boost::asio::io_context io{1};
  storage::MemKv store;
  FilterIndex routes;
  OpenGate gate;
  RuleSet rules;
  ShardCore core{ShardSettings{}, routes, gate, rules, Rng{1}};
  std::vector<std::string> problems;
  DiskRoom room;
  bool listening = true;
  bool failing = false;

 private:
  std::uint64_t requests_ = 0;
  std::uint64_t journal_ = 0;
};

const std::vector<Bytes> car_commands = {"v1", "devices", "car1", "commands"};
const std::vector<Bytes> order_17 = {"v1", "devices", "car1", "commands", "order-17"};
const std::vector<Bytes> telemetry = {"v1", "streams", "telemetry", "records"};

std::vector<Bytes> payloads(const Json& page) {
  std::vector<Bytes> list;
  for (const Json& record : page["records"]) list.push_back(record["payload"].get<Bytes>());
  return list;
}
using List = std::vector<Bytes>;

}  // namespace

TEST_CASE("A node is ready while its shards tick, it listens and its disk has room", "[http]") {
  Node node;
  CHECK(node.api("GET", {"v1", "health", "live"}).body["live"] == true);
  const auto good = node.api("GET", {"v1", "health", "ready"});
  CHECK(good.status == 200);
  node.room.sessions = false;
  const auto full = node.api("GET", {"v1", "health", "ready"});
  CHECK(full.status == 503);
  CHECK(full.body["reasons"].size() == 1);
  node.room.sessions = true;
  node.listening = false;
  CHECK(node.api("GET", {"v1", "health", "ready"}).body["reasons"][0] == "no listener is open");
  node.listening = true;
  HttpRequest request;
  request.method = "GET";
  request.path = {"v1", "health", "ready"};
  request.abandoned = [] { return true; };  // No patience, and no shard that has ticked yet.
  const HttpResponse hung = node.call(std::move(request));
  CHECK(hung.status == 503);
  CHECK(hung.body.find("shard 0 did not answer") != Bytes::npos);
}

TEST_CASE("Retained messages are listed in pages and cleared", "[http][retained]") {
  Node node;
  for (const BytesView topic : {"a/1", "a/2", "b/1", "c"}) node.retain(topic);
  const auto topics = [](const Json& page) {
    std::vector<Bytes> list;
    for (const Json& each : page["retained"]) list.push_back(each["topic"].get<Bytes>());
    return list;
  };
  const auto first = node.api("GET", {"v1", "retained"}, {{"limit", "3"}}).body;
  CHECK(topics(first) == std::vector<Bytes>{"a/1", "a/2", "b/1"});
  CHECK(first["retained"][0]["payload_bytes"] == 1);
  const auto last = node.api("GET", {"v1", "retained"}, {{"after", first["next"].get<Bytes>()}});
  CHECK(topics(last.body) == std::vector<Bytes>{"c"});
  CHECK(last.body["next"] == nullptr);
  CHECK(node.api("GET", {"v1", "retained"}, {{"filter", "a/#/b"}}).status == 400);

  CHECK(node.api("DELETE", {"v1", "retained"}).status == 400);
  const auto cleared = node.api("DELETE", {"v1", "retained"}, {{"filter", "a/+"}});
  CHECK(cleared.status == 200);
  CHECK(topics(cleared.body) == std::vector<Bytes>{"a/1", "a/2"});
  CHECK(topics(node.api("GET", {"v1", "retained"}).body) == std::vector<Bytes>{"b/1", "c"});
  CHECK_FALSE(node.store.get(storage::Family::retained, "a/1").value().has_value());
  CHECK(node.api("DELETE", {"v1", "retained"}, {{"filter", "a/+"}}).body["retained"].empty());
  node.failing = true;
  CHECK(node.api("DELETE", {"v1", "retained"}, {{"filter", "c"}}).status == 507);
}

TEST_CASE("What is wrong about a question for clients is told", "[http]") {
  Node node;
  CHECK(node.api("GET", {"v1", "clients"}, {{"connected", "maybe"}}).status == 400);
  CHECK(node.api("DELETE", {"v1", "clients", "car1", "connection"}).status == 404);
  CHECK(node.api("DELETE", {"v1", "clients", "car1", "connection"}, {{"reason", Bytes(201, 'x')}})
            .status == 400);
  CHECK(node.api("GET", {"v1", "subscriptions"}, {{"filter", "a"}, {"topic", "b"}}).status == 400);
  CHECK(node.api("GET", {"v1", "subscriptions"}, {{"topic", "a/+"}}).status == 400);
  CHECK(node.api("GET", {"v1", "subscriptions"}, {{"client", "car1"}}).status == 404);
}

TEST_CASE("The store is described, and copied where one says", "[http]") {
  Node node;
  const auto store = node.api("GET", {"v1", "store"}).body;
  CHECK(store["families"][0]["name"] == "journal");
  CHECK(store["journal"]["first"] == nullptr);
  const std::vector<Bytes> backup = {"v1", "store", "backup"};
  const auto taken = node.api("POST", backup, {}, R"({"directory":"/b"})");
  CHECK(taken.status == 201);
  CHECK(taken.body["directory"] == "/b");
  CHECK(taken.body["bytes"] == 70);
  for (const char* body : {"", "[]", "{}", R"({"directory":7})"}) {
    CHECK(node.api("POST", backup, {}, body).status == 400);
  }
  node.failing = true;
  CHECK(node.api("POST", backup, {}, R"({"directory":"/b"})").status == 507);
}

TEST_CASE("Metrics tell what the node holds, as text", "[http][metrics]") {
  Node node;
  node.append("telemetry", "a", "1", now_wall);
  node.room.streams = false;
  HttpRequest request;
  request.method = "GET";
  request.path = {"v1", "metrics"};
  const HttpResponse response = node.call(std::move(request));
  CHECK(response.status == 200);
  CHECK(response.type == "text/plain; version=0.0.4");
  for (const char* line :
       {"naru_stream_records{stream=\"telemetry\"} 1\n", "naru_shards 1\n",
        "naru_disk_room{work=\"streams\"} 0\n", "naru_store_bytes 1000\n",
        "naru_disk_room{work=\"sessions\"} 1\n", "naru_build_info{version=\"1.2.3\"} 1\n",
        "naru_commit_seconds_count 1\n", "naru_connections 0\n"}) {
    CAPTURE(line);
    CHECK(response.body.find(Bytes{"\n"} + line) != Bytes::npos);
  }
}

TEST_CASE("The status of a fresh node is green and empty", "[http]") {
  Node node;
  const auto status = node.api("GET", {"v1", "status"});
  CHECK(status.status == 200);
  CHECK(status.body["node"]["id"] == "n1");
  CHECK(status.body["health"] == "green");
  CHECK(status.body["sessions"] == 0);
  CHECK(status.body["counters"]["publishes_in"] == 0);
  CHECK(status.body["listeners"][0]["port"] == 1883);
  CHECK(status.body["streams"][0]["name"] == "telemetry");
  node.problems = {"the disk is full; free some room"};
  CHECK(node.api("GET", {"v1", "status"}).body["health"] == "red");
}

TEST_CASE("Unknown paths and wrong methods get a sentence", "[http]") {
  Node node;
  CHECK(node.api("GET", {"v1", "nothing"}).status == 404);
  CHECK(node.api("POST", {"v1", "status"}).status == 405);
  CHECK(node.api("GET", {"v1", "clients", "nobody"}).status == 404);
  CHECK_FALSE(node.api("GET", {}).body["error"].get<Bytes>().empty());
}

TEST_CASE("A command is made once, shown, listed and cancelled once", "[http]") {
  Node node;
  const Bytes body = R"({"name":"unlock","payload":{"door":1},"id":"order-17"})";
  const auto made = node.api("POST", car_commands, {}, body);
  CHECK(made.status == 201);
  CHECK(made.body["state"] == "queued");
  CHECK(made.body["expires_at"] == now_wall + 60'000);
  CHECK(node.api("POST", car_commands, {}, body).status == 200);
  CHECK(node.api("GET", order_17).body == made.body);
  CHECK(node.api("GET", car_commands).body["commands"].size() == 1);
  CHECK(node.api("GET", {"v1", "status"}).body["commands"]["open"] == 1);
  const auto cancelled = node.api("DELETE", order_17);
  CHECK(cancelled.status == 200);
  CHECK(cancelled.body["state"] == "cancelled");
  CHECK(node.api("DELETE", order_17).status == 409);
  CHECK(node.api("GET", order_17, {{"wait", "60"}, {"version", "9"}}).status == 200);
}

TEST_CASE("What is wrong about a command is told", "[http]") {
  Node node;
  CHECK(node.api("POST", car_commands, {}, "{}").status == 400);
  CHECK(node.api("POST", {"v1", "devices", "a/b", "commands"}, {}, R"({"name":"x"})").status ==
        400);
  CHECK(node.api("GET", order_17).status == 404);
  CHECK(node.api("DELETE", order_17).status == 404);
  CHECK(node.api("GET", order_17, {{"wait", "61"}}).status == 400);
  node.failing = true;
  CHECK(node.api("POST", car_commands, {}, R"({"name":"x"})").status == 503);
}

TEST_CASE("A wait for a command ends when nobody waits any more", "[http]") {
  Node node;
  REQUIRE(node.api("POST", car_commands, {}, R"({"name":"x","id":"order-17"})").status == 201);
  HttpRequest request;
  request.method = "GET";
  request.path = order_17;
  request.query = {{"wait", "60"}};
  int asked = 0;
  request.abandoned = [&asked] { return ++asked == 2; };
  CHECK(node.call(std::move(request)).status == 200);
  CHECK(asked == 2);
}

TEST_CASE("Records are read in pages, from anywhere", "[http]") {
  Node node;
  for (int i = 0; i < 10; ++i) {
    const Bytes key = i % 2 == 0 ? "a" : "b";
    node.append("telemetry", key, std::to_string(i), now_wall + static_cast<WallMillis>(i));
  }
  const auto first = node.api("GET", telemetry, {{"limit", "4"}}).body;
  CHECK(payloads(first) == List{"0", "1", "2", "3"});
  CHECK(first["more"] == true);
  const Bytes cursor = first["cursor"].get<Bytes>();
  const auto rest = node.api("GET", telemetry, {{"from", cursor}}).body;
  CHECK(payloads(rest) == List{"4", "5", "6", "7", "8", "9"});
  CHECK(rest["more"] == false);
  CHECK(rest["records"][5]["sequence"] == 5);
  const auto time = node.api("GET", telemetry, {{"from", std::to_string(now_wall + 8)}}).body;
  CHECK(payloads(time) == List{"8", "9"});
  const auto latest = node.api("GET", telemetry, {{"from", "latest"}}).body;
  CHECK(latest["records"].empty());
  CHECK(latest["cursor"] == rest["cursor"]);
  const auto streams = node.api("GET", {"v1", "streams"}).body["streams"];
  CHECK(streams[0]["records"] == 10);
  CHECK(streams[0]["keys"] == 2);
  CHECK(streams[0]["retention_s"] == 172'800);
  CHECK(streams[1]["name"] == "dead-letter");
}

TEST_CASE("A consumer goes on where it committed", "[http]") {
  Node node;
  for (int i = 0; i < 5; ++i) node.append("telemetry", "a", std::to_string(i), now_wall);
  const auto page = node.api("GET", telemetry, {{"consumer", "etl"}, {"limit", "3"}}).body;
  const Bytes body = dump({{"cursor", page["cursor"]}});
  CHECK(node.api("PUT", {"v1", "streams", "telemetry", "consumers", "etl"}, {}, body).status ==
        200);
  const auto consumers = node.api("GET", {"v1", "streams", "telemetry", "consumers"}).body;
  CHECK(consumers["consumers"][0]["name"] == "etl");
  CHECK(consumers["consumers"][0]["lag"] == 2);
  CHECK(payloads(node.api("GET", telemetry, {{"consumer", "etl"}}).body) == List{"3", "4"});
  CHECK(payloads(node.api("GET", telemetry, {{"consumer", "new"}}).body).size() == 5);
}

TEST_CASE("What is wrong about a stream is told", "[http]") {
  Node node;
  CHECK(node.api("GET", {"v1", "streams", "nowhere", "records"}).status == 404);
  CHECK(node.api("GET", {"v1", "streams", "nowhere", "consumers"}).status == 404);
  CHECK(node.api("GET", telemetry, {{"from", "rubbish!"}}).status == 400);
  CHECK(node.api("GET", telemetry, {{"limit", "0"}}).status == 400);
  const std::vector<Bytes> etl = {"v1", "streams", "telemetry", "consumers", "etl"};
  CHECK(node.api("PUT", etl, {}, R"({"cursor":"rubbish"})").status == 400);
  CHECK(node.api("PUT", etl, {}, "{").status == 400);
  CHECK(node.api("PUT", etl, {}, R"({"cursor":7})").status == 400);
}

TEST_CASE("A wait for records answers with the first that comes", "[http]") {
  Node node;
  HttpRequest request;
  request.method = "GET";
  request.path = telemetry;
  request.query = {{"from", "latest"}, {"wait", "60"}};
  request.abandoned = [&node, appended = false]() mutable {
    if (!std::exchange(appended, true)) node.append("telemetry", "a", "new", now_wall);
    return false;
  };
  const HttpResponse response = node.call(std::move(request));
  CHECK(payloads(Json::parse(response.body)) == List{"new"});
}

}  // namespace naru::broker

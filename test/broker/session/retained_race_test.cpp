// test/broker/session/retained_race_test.cpp
//
// Goal: a subscriber that comes while a retained message is being published gets it, live or
// retained, whatever the shards do in between. Method: three cores and their mail by hand; the
// publisher's shard has matched but not yet handed over its hops when the subscriber's shard goes
// on. The test failed before RetainedAsker fenced its query.

#include <catch2/catch.hpp>

#include "broker/mqtt/encoder.hpp"
#include "broker/routing/filter_index.hpp"
#include "broker/session/shard_core.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {
namespace {

constexpr std::uint16_t shard_count = 3;
constexpr const char* topic = "door/state";

ShardSettings settings_of(std::uint16_t shard) {
  ShardSettings settings;
  settings.shard = shard;
  settings.shards = shard_count;
  return settings;
}

// A name whose lane is one of this shard's.
Bytes name_on(std::uint16_t shard, BytesView prefix) {
  for (int i = 0;; ++i) {
    Bytes name = Bytes{prefix}.append(std::to_string(i));
    if (cluster::lane_of(name) % shard_count == shard) return name;
  }
}

// The number of the one connection of a shard.
ConnectionId connection_of(std::uint16_t shard) { return ConnectionId{shard} << 48 | 1; }

class Shards {
 public:
  Shards() {
    for (std::uint16_t shard = 0; shard < shard_count; ++shard) {
      cores_.push_back(
          std::make_unique<ShardCore>(settings_of(shard), routes_, gate_, rules_, Rng{shard + 1u}));
    }
  }

  // A clean client of MQTT 3.1.1 on that shard.
  void connect(std::uint16_t shard) {
    ShardCore& core = *cores_[shard];
    core.front().opened(connection_of(shard), {"test", 0});
    mqtt::Connect connect;
    connect.version = mqtt::Version::v3_1_1;
    const Bytes client_id = name_on(shard, "client");
    connect.client_id = client_id;
    Bytes bytes;
    mqtt::encode(connect, bytes);
    input(shard, bytes);
    turn(shard);
    core.front().output(connection_of(shard))->clear();
  }
  // What a client says; the shard's turn goes on.
  void input(std::uint16_t shard, const Bytes& bytes) {
    cores_[shard]->begin_turn(Instant{Duration{1}}, 1, 1);
    REQUIRE(cores_[shard]->front().receive(connection_of(shard), bytes) == bytes.size());
  }
  // The rest of the turn, as broker/net/shard.cpp has it.
  void turn(std::uint16_t shard) {
    ShardCore& core = *cores_[shard];
    core.begin_turn(Instant{Duration{1}}, 1, 1);
    for (Hop& hop : std::exchange(mail_[shard], {})) core.on_hop(hop);
    core.end_turn();
    ShardOutput& output = core.output();
    output.units.clear();  // The retained copy is seen before it is on disk.
    for (std::uint16_t to = 0; to < shard_count; ++to) {
      for (Hop& hop : std::exchange(output.hops[to], {})) mail_[to].push_back(std::move(hop));
    }
    for (const hop::RouteFence& fence : std::exchange(output.fences, {})) {
      mail_[fence.shard].emplace_back(hop::FencePassed{fence.ticket});
    }
    output.dirty.clear();
    output.resumed.clear();
    if (shard != home()) core.front().sending(connection_of(shard));
  }
  static std::uint16_t home() { return cluster::lane_of(topic) % shard_count; }

  const Bytes& output(std::uint16_t shard) {
    return *cores_[shard]->front().output(connection_of(shard));
  }

 private:
  FilterIndex routes_;
  OpenGate gate_;
  RuleSet rules_;
  std::vector<std::unique_ptr<ShardCore>> cores_;
  std::vector<Hop> mail_[shard_count];
};

}  // namespace

TEST_CASE("A retained message published during a SUBSCRIBE is not missed", "[retained][race]") {
  const std::uint16_t home = Shards::home();
  const auto publisher = static_cast<std::uint16_t>((home + 1) % shard_count);
  const auto subscriber = static_cast<std::uint16_t>((home + 2) % shard_count);
  Shards shards;
  shards.connect(publisher);
  shards.connect(subscriber);

  Bytes publish;
  mqtt::PublishHead head;
  head.retain = true;
  mqtt::encode_publish(publish, mqtt::Version::v3_1_1, head, topic, {}, "open");
  shards.input(publisher, publish);  // Matched: nobody. Its hops are not handed over yet.

  Bytes entries;
  mqtt::append_entry(entries, {"door/+", mqtt::Qos::at_most_once});
  Bytes subscribe;
  mqtt::encode(mqtt::Subscribe{1, 0, mqtt::SubscribeEntries{entries}}, mqtt::Version::v3_1_1,
               subscribe);
  shards.input(subscriber, subscribe);
  shards.turn(subscriber);
  shards.turn(home);
  shards.turn(subscriber);
  CHECK(shards.output(subscriber).empty());  // Nor SUBACK.
  for (int round = 0; round < 3; ++round) {
    shards.turn(publisher);
    shards.turn(home);
    shards.turn(subscriber);
  }
  const Bytes& heard = shards.output(subscriber);
  CHECK(heard.starts_with("\x90\x03"));
  CHECK(heard.find("open") != Bytes::npos);
}

}  // namespace naru::broker

// test/broker/session/refused_publish_test.cpp
//
// Goal: a publish that found no room holds up those behind it of its own publisher, until that
// client can know of it, and nobody else's; when there is room again all are taken, however busy
// they are. Method: two shards in lockstep, a hop takes one step from one to the other. On the
// first are the lane of a subscriber that is away and the disk, on the other its publishers.

#include <catch2/catch.hpp>

#include "broker/mqtt/encoder.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using mqtt::PacketType, mqtt::Qos, mqtt::Version;

constexpr ConnectionId subscriber = 1;

ShardSettings settings_of(std::uint16_t shard) {
  ShardSettings settings;
  settings.shards = 2;
  settings.shard = shard;
  return settings;
}

class TwoShards {
 public:
  explicit TwoShards(int publishers) {
    for (ShardCore* const core : {&lanes, &fronts}) core->begin_turn(Instant{}, 1'000, 1'000);
    connect(lanes, subscriber, test::client_of_shard(0, "sleeper"), 1'000);
    run(5);
    Bytes raw, packet;
    mqtt::SubscribeEntry entry;
    entry.filter = "t";
    entry.qos = Qos::at_least_once;
    mqtt::append_entry(raw, entry);
    mqtt::encode(mqtt::Subscribe{1, 0, mqtt::SubscribeEntries{raw}}, Version::v5, packet);
    lanes.front().receive(subscriber, packet);
    run(5);
    lanes.front().closed(subscriber);
    for (int number = 1; number <= publishers; ++number) {
      connect(fronts, id_of(number), test::client_of_shard(1, "c" + std::to_string(number)), 0);
    }
    run(5);
    for (int number = 1; number <= publishers; ++number)
      fronts.front().output(id_of(number))->clear();
  }
  static ConnectionId id_of(int publisher) {
    return std::uint64_t{1} << 48 | static_cast<std::uint64_t>(publisher);
  }
  // False: its connection is not read from.
  bool publish(int publisher) {
    storage::MessageView view;
    view.topic = "t";
    mqtt::PublishHead head;
    head.qos = Qos::at_least_once;
    head.packet_id = ++packet_id;
    Bytes bytes;
    encode_publish(bytes, Version::v5, head, "t", {}, "x");
    return fronts.front().receive(id_of(publisher), bytes) == bytes.size();
  }
  void step() {
    const auto to_fronts = std::exchange(lanes.output().hops[1], {});
    const auto to_lanes = std::exchange(fronts.output().hops[0], {});
    for (Hop hop : to_lanes) lanes.on_hop(hop);
    for (Hop hop : to_fronts) fronts.on_hop(hop);
    for (ShardCore* const core : {&lanes, &fronts}) {
      core->on_committed(test::outcomes_of(*core, journal, failure));
      core->end_turn();
    }
  }
  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
  }
  // The reasons of what was answered to this publisher since the last look.
  std::vector<mqtt::ReasonCode> answers(int publisher) {
    const Bytes bytes = std::exchange(*fronts.front().output(id_of(publisher)), {});
    BytesView rest = bytes;
    mqtt::Frame frame;
    std::vector<mqtt::ReasonCode> reasons;
    while (mqtt::next_frame(rest, 0, frame) == mqtt::Framing::complete) {
      rest.remove_prefix(frame.size);
      mqtt::Ack ack;
      REQUIRE(mqtt::type_of(frame) == PacketType::puback);
      REQUIRE(decode_ack(frame, Version::v5, ack) == mqtt::DecodeError::none);
      reasons.push_back(ack.reason);
    }
    return reasons;
  }

  std::optional<Errc> failure;

 private:
  static void connect(ShardCore& core, ConnectionId id, const Bytes& client, std::uint32_t expiry) {
    core.front().opened(id, {"10.0.0.1:5", 0});
    mqtt::Connect packet;
    packet.client_id = client;
    packet.version = Version::v5;
    packet.clean_start = true;
    packet.session_expiry_interval = expiry;
    Bytes bytes;
    mqtt::encode(packet, bytes);
    core.front().receive(id, bytes);
  }

  FilterIndex routes;
  OpenGate gate;
  RuleSet rules;
  ShardCore lanes{settings_of(0), routes, gate, rules, Rng{1}};
  ShardCore fronts{settings_of(1), routes, gate, rules, Rng{2}};
  std::uint64_t journal = 0;
  mqtt::PacketId packet_id = 0;
};

constexpr auto success = mqtt::ReasonCode::success;
constexpr auto no_room = mqtt::ReasonCode::quota_exceeded;

}  // namespace

TEST_CASE("Publishers that never rest are taken again when there is room", "[session][publish]") {
  constexpr int publishers = 8;
  TwoShards shards{publishers};
  shards.failure = Errc::no_space;
  int turn = 0;
  const auto busy = [&](int steps) {  // Something is always on its way.
    for (int i = 0; i < steps; ++i) {
      CHECK(shards.publish(1 + turn++ % publishers));
      shards.step();
    }
  };
  busy(40);
  shards.failure = {};
  busy(40);
  for (int number = 1; number <= publishers; ++number) {
    const auto reasons = shards.answers(number);
    CAPTURE(number);
    REQUIRE(reasons.size() >= 8);
    CHECK(reasons.front() == no_room);
    CHECK(reasons.back() == success);
  }
}

TEST_CASE("A publisher with one message always under way is taken again", "[session][publish]") {
  TwoShards shards{1};
  shards.failure = Errc::no_space;
  for (int i = 0; i < 200; ++i) {
    if (i == 100) shards.failure = {};
    shards.publish(1);
    shards.step();
  }
  const auto reasons = shards.answers(1);
  CHECK(reasons.front() == no_room);
  CHECK(reasons.back() == success);
}

TEST_CASE("What was sent behind a failed publish fails too, and nobody else's",
          "[session][publish]") {
  TwoShards shards{2};
  shards.failure = Errc::no_space;
  shards.publish(1);
  shards.step();  // The disk is full; the front does not know it yet.
  shards.failure = {};
  shards.publish(1);
  shards.publish(2);
  shards.run(10);
  CHECK(shards.answers(1) == std::vector{no_room, no_room});
  CHECK(shards.answers(2) == std::vector{success});
  shards.publish(1);
  shards.run(10);
  CHECK(shards.answers(1) == std::vector{success});
}

}  // namespace naru::broker

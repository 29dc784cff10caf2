// test/broker/session/retained_steps_test.cpp
//
// Goal: whoever subscribes gets each retained message once, however many there are, in steps that
// it asks for by taking the last one; what is put meanwhile, or is no longer subscribed to, is no
// part of them. Method: the core of one shard whose steps are of three messages, a client that
// acknowledges when the test says so, and commits by hand.

#include <catch2/catch.hpp>

#include "broker/mqtt/encoder.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using mqtt::PacketType, mqtt::Qos, mqtt::Version;
using Topics = std::vector<Bytes>;

constexpr std::uint16_t step = 3;
constexpr std::uint32_t lasting = 100;  // Seconds.

storage::MessageRef message(BytesView topic, std::uint8_t qos = 1) {
  storage::MessageView view;
  view.topic = topic;
  view.payload = "x";
  view.qos = qos;
  return storage::Message::make(view);
}

Bytes subscribe_packet(const Topics& filters, Qos qos = Qos::at_least_once) {
  Bytes raw, bytes;
  for (const Bytes& filter : filters) {
    mqtt::SubscribeEntry entry;
    entry.filter = filter;
    entry.qos = qos;
    mqtt::append_entry(raw, entry);
  }
  mqtt::encode(mqtt::Subscribe{1, 0, mqtt::SubscribeEntries{raw}}, Version::v5, bytes);
  return bytes;
}

struct Bench {
  Bench(std::uint32_t expiry, int topics) {
    core.begin_turn(Instant{}, 1'000, 1'000);
    for (int n = 0; n < topics; ++n) names.push_back("t/" + std::to_string(100 + n));
    for (const Bytes& name : names) {
      core.lanes().load_retained(name, ++version, message(name));
    }
    core.front().opened(id, {"10.0.0.1:5", 0});
    mqtt::Connect packet;
    packet.client_id = "car1";
    packet.version = Version::v5;
    packet.clean_start = expiry == 0;
    packet.session_expiry_interval = expiry;
    packet.receive_maximum = 2;
    Bytes bytes;
    mqtt::encode(packet, bytes);
    hear(bytes);
  }
  void hear(BytesView bytes) {
    core.front().receive(id, bytes);
    core.end_turn();
    while (commits && !core.output().units.empty()) commit_once();
  }
  void commit_once() {
    core.on_committed(test::outcomes_of(core, journal, {}));
    core.end_turn();
  }
  // Takes what the broker has said, and answers the messages in it.
  void take() {
    const Bytes bytes = std::exchange(*core.front().output(id), {});
    core.front().drained(id);
    BytesView rest = bytes;
    mqtt::Frame frame;
    Bytes answers;
    while (mqtt::next_frame(rest, 0, frame) == mqtt::Framing::complete) {
      rest.remove_prefix(frame.size);
      if (mqtt::type_of(frame) != PacketType::publish) continue;
      mqtt::Publish publish;
      REQUIRE(decode_publish(frame, Version::v5, publish) == mqtt::DecodeError::none);
      CHECK(publish.retain);
      got.emplace_back(publish.topic);
      if (publish.qos == Qos::at_most_once) continue;
      mqtt::encode_ack(answers, Version::v5, PacketType::puback, publish.packet_id,
                       mqtt::ReasonCode::success);
    }
    hear(answers);
  }
  // Until nothing more comes.
  void take_all() {
    for (std::size_t before = ~std::size_t{0}; before != got.size();) {
      before = got.size();
      take();
    }
  }
  void put(BytesView topic) {
    Hop hop = hop::RetainedPut{Carried{message(topic)}, {}};
    core.on_hop(hop);
    core.end_turn();
  }

  static ShardSettings settings() {
    ShardSettings settings;
    settings.retained_step = step;
    settings.max_output = 200;
    settings.max_waiting = step * message("t/100")->encoded().size();
    return settings;
  }

  FilterIndex routes;
  OpenGate gate;
  RuleSet rules;
  static constexpr ConnectionId id = 1;
  ShardCore core{settings(), routes, gate, rules, Rng{1}};
  Topics names, got;
  std::uint64_t journal = 0, version = 0;
  bool commits = true;
};

}  // namespace

TEST_CASE("Retained messages come in steps, each once", "[retained][MQTT-3.3.1]") {
  const std::uint32_t expiry = GENERATE(0u, lasting);
  const int topics = GENERATE(1, 3, 4, 10);
  Bench bench{expiry, topics};
  bench.hear(subscribe_packet({"t/#"}));
  bench.take_all();
  CHECK(bench.got == bench.names);
  CHECK(bench.core.counters().dropped_queue_full == 0);
}

TEST_CASE("Several filters of one SUBSCRIBE are walked one after the other", "[retained]") {
  const std::uint32_t expiry = GENERATE(0u, lasting);
  Bench bench{expiry, 5};
  bench.hear(subscribe_packet({"t/#", "none/#", "t/+", "t/100"}));
  bench.take_all();
  Topics expected = bench.names;
  expected.insert(expected.end(), bench.names.begin(), bench.names.end());
  expected.push_back("t/100");
  CHECK(bench.got == expected);
}

TEST_CASE("A clean session asks for the next step when it has taken the last", "[retained]") {
  Bench bench{0, 100};
  bench.hear(subscribe_packet({"t/#"}));
  bench.put("t/150");  // Came live to who had subscribed, so it is no part of the steps.
  bench.take_all();
  CHECK(bench.core.counters().dropped_queue_full == 0);  // One step waits at a time.
  std::erase(bench.names, "t/150");
  CHECK(bench.got == bench.names);
}

TEST_CASE("A lasting session gets the next step when the last is on disk", "[retained]") {
  Bench bench{lasting, 100};
  bench.commits = false;
  bench.hear(subscribe_packet({"t/#"}));
  bench.commit_once();  // The filter.
  CHECK(bench.core.output().units.size() == step);
  bench.commits = true;
  bench.hear({});
  bench.take_all();
  CHECK(bench.got == bench.names);
}

TEST_CASE("Retained messages with QoS 0 come as their client reads", "[retained]") {
  const std::uint32_t expiry = GENERATE(0u, lasting);
  Bench bench{expiry, 100};  // Far more bytes than may be unread.
  bench.hear(subscribe_packet({"t/#"}, Qos::at_most_once));
  CHECK(bench.core.front().output(bench.id)->size() <= Bench::settings().max_output);
  bench.take_all();
  CHECK(bench.got == bench.names);
  CHECK(bench.core.counters().dropped_slow == 0);
}

TEST_CASE("A session whose client went away between steps has the rest in its queue",
          "[retained][MQTT-3.3.1]") {
  Bench bench{lasting, 0};
  for (int n = 100; n < 200; ++n) {
    const Bytes name = "t/" + std::to_string(n);
    const auto qos = static_cast<std::uint8_t>(n % 2);
    bench.core.lanes().load_retained(name, ++bench.version, message(name, qos));
  }
  bench.hear(subscribe_packet({"t/#"}));
  LaneState& lane = bench.core.lanes().lane(cluster::lane_of("car1"));
  const SessionQueue& queue = lane.find_client("car1")->session->queue;
  CHECK(queue.size() < 50);  // Nothing of the first steps is read yet.
  bench.core.front().closed(bench.id);
  bench.hear({});
  CHECK(queue.size() == 50);  // QoS 0 is not for who is away.
}

TEST_CASE("What is unsubscribed is walked no further", "[retained][MQTT-3.10.4]") {
  Bench bench{0, 100};
  bench.hear(subscribe_packet({"t/#"}));
  bench.take();
  Bytes raw, bytes;
  mqtt::append_filter(raw, "t/#");
  mqtt::encode(mqtt::Unsubscribe{2, mqtt::Filters{raw}}, Version::v5, bytes);
  bench.hear(bytes);
  bench.take_all();
  CHECK(bench.got.size() <= 2 * step);
}

}  // namespace naru::broker

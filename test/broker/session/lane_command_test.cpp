// test/broker/session/lane_command_test.cpp
//
// Goal: a command reaches a device that waits for it, ends, and is what the device was told it is,
// whatever the disk and the device's window do meanwhile. Method: the core of one shard and one
// connection; packets go in, and commits are answered when the test says so.

#include <catch2/catch.hpp>

#include "broker/mqtt/encoder.hpp"
#include "broker/routing/filter_index.hpp"
#include "broker/session/shard_core.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using mqtt::PacketType, mqtt::Qos, mqtt::Version;

constexpr ConnectionId id = 1;
constexpr BytesView device = "car1";
constexpr BytesView commands = "vehicles/car1/commands/+";
constexpr BytesView succeeded = R"({"state":"succeeded"})";

Bytes subscribe_packet() {
  mqtt::SubscribeEntry entry;
  entry.filter = commands;
  entry.qos = Qos::at_least_once;
  Bytes raw, bytes;
  mqtt::append_entry(raw, entry);
  mqtt::Subscribe packet;
  packet.packet_id = 1;
  packet.entries = mqtt::SubscribeEntries{raw};
  mqtt::encode(packet, Version::v5, bytes);
  return bytes;
}

Bytes acknowledgement(PacketType type, mqtt::PacketId packet_id) {
  Bytes bytes;
  mqtt::encode_ack(bytes, Version::v5, type, packet_id, mqtt::ReasonCode::success);
  return bytes;
}

struct Bench {
  Bench() { core.begin_turn(now, 1'000, 1'000); }

  void turn(StoreMillis store) {
    now = now + Seconds{1};
    core.begin_turn(now, store, store);
    core.end_turn();
  }
  void hear(BytesView bytes) {
    core.front().receive(id, bytes);
    core.end_turn();
  }
  void commit_once(std::optional<Errc> failure = {}) {
    core.on_committed(test::outcomes_of(core, journal, failure));
    core.end_turn();
  }
  void commit() {
    while (!core.output().units.empty()) commit_once();
  }
  void connect(std::uint32_t session_expiry, std::uint16_t receive_maximum = 10) {
    core.front().opened(id, Peer{"here"});
    mqtt::Connect packet;
    packet.version = Version::v5;
    packet.client_id = device;
    packet.clean_start = session_expiry == 0;
    packet.session_expiry_interval = session_expiry;
    packet.receive_maximum = receive_maximum;
    Bytes bytes;
    mqtt::encode(packet, bytes);
    hear(bytes);
    commit();
  }
  void subscribe() { hear(subscribe_packet()); }
  void acknowledge(PacketType type, mqtt::PacketId packet_id) {
    hear(acknowledgement(type, packet_id));
  }
  void reply(BytesView command, Qos qos) {
    mqtt::PublishHead head;
    head.qos = qos;
    head.packet_id = 7;
    Bytes bytes;
    const Bytes topic = "vehicles/car1/commands/" + Bytes{command} + "/reply";
    mqtt::encode_publish(bytes, Version::v5, head, topic, {}, succeeded);
    hear(bytes);
  }
  void submit(BytesView command, StoreMillis expires_at = 60'000) {
    NewCommand wanted;
    wanted.device = Bytes{device};
    wanted.id = Bytes{command};
    wanted.name = "unlock";
    wanted.payload = "null";
    wanted.expires_at = wanted.expires_wall = expires_at;
    core.lanes().submit(wanted, 1);
    core.end_turn();
  }
  CommandState state(BytesView command) {
    const auto* const row = lane().ledger().find(device, command);
    REQUIRE(row != nullptr);
    return state_of(*row);
  }
  LaneState& lane() { return core.lanes().lane(cluster::lane_of(device)); }
  // The packets of one kind since the last call, by packet id and reason; all others are forgotten.
  std::vector<std::pair<mqtt::PacketId, mqtt::ReasonCode>> said(PacketType type) {
    std::vector<std::pair<mqtt::PacketId, mqtt::ReasonCode>> list;
    Bytes* const output = core.front().output(id);
    const Bytes bytes = output == nullptr ? Bytes{} : std::exchange(*output, {});
    BytesView rest = bytes;
    mqtt::Frame frame;
    while (mqtt::next_frame(rest, 0, frame) == mqtt::Framing::complete) {
      rest.remove_prefix(frame.size);
      if (mqtt::type_of(frame) != type) continue;
      mqtt::Publish publish;
      mqtt::Ack ack;
      if (type == PacketType::publish) {
        REQUIRE(decode_publish(frame, Version::v5, publish) == mqtt::DecodeError::none);
        list.emplace_back(publish.packet_id, mqtt::ReasonCode::success);
      } else {
        REQUIRE(decode_ack(frame, Version::v5, ack) == mqtt::DecodeError::none);
        list.emplace_back(ack.packet_id, ack.reason);
      }
    }
    return list;
  }

  Instant now{Duration{1'000'000}};
  FilterIndex routes;
  OpenGate gate;
  RuleSet rules;
  ShardCore core{ShardSettings{}, routes, gate, rules, Rng{1}};
  std::uint64_t journal = 0;
};

constexpr std::uint32_t for_ever = 0xffffffff;

}  // namespace

TEST_CASE("LaneShard lets a command expire though the disk was full when it was time",
          "[session][command]") {
  Bench bench;
  bench.submit("c1", 2'000);
  bench.commit();
  bench.turn(3'000);
  bench.commit_once(Errc::no_space);
  CHECK(bench.state("c1") == CommandState::queued);
  for (StoreMillis at = 4'000; at < 8'000; at += 1'000) {
    bench.turn(at);
    bench.commit();
  }
  CHECK(bench.state("c1") == CommandState::expired);
}

TEST_CASE("Front gives a clean session its commands as its window lets go", "[session][command]") {
  Bench bench;
  bench.connect(0, 1);
  bench.subscribe();
  for (const BytesView command : {"c1", "c2", "c3"}) {
    bench.submit(command);
    bench.commit();
  }
  for (const BytesView command : {"c1", "c2", "c3"}) {
    CAPTURE(command);
    const auto sent = bench.said(PacketType::publish);
    REQUIRE(sent.size() == 1);
    CHECK(bench.state(command) == CommandState::sent);
    bench.acknowledge(PacketType::puback, sent[0].first);
    bench.commit();
    CHECK(bench.state(command) == CommandState::delivered);
  }
}

TEST_CASE("Front does not send a command again that its device has just acknowledged",
          "[session][command]") {
  Bench bench;
  bench.connect(0);
  bench.subscribe();
  bench.submit("c1");
  bench.commit();
  const auto sent = bench.said(PacketType::publish);
  REQUIRE(sent.size() == 1);
  bench.acknowledge(PacketType::puback, sent[0].first);
  bench.subscribe();  // Before it is on disk that the device has it.
  bench.commit();
  CHECK(bench.said(PacketType::publish).empty());
}

TEST_CASE("Front does not send a command again whose acknowledgement comes right behind SUBSCRIBE",
          "[session][command]") {
  Bench bench;
  bench.connect(0);
  bench.subscribe();
  bench.submit("c1");
  bench.commit();
  const auto sent = bench.said(PacketType::publish);
  REQUIRE(sent.size() == 1);
  bench.hear(subscribe_packet() + acknowledgement(PacketType::puback, sent[0].first));
  bench.commit();
  CHECK(bench.said(PacketType::publish).empty());
  CHECK(bench.state("c1") == CommandState::delivered);
}

TEST_CASE("Front acknowledges a reply that is too late when it is on disk that it is",
          "[session][command]") {
  Bench bench;
  bench.connect(0);
  bench.submit("c1", 2'000);
  bench.commit();
  bench.turn(3'000);  // It expires, which is not on disk yet.
  bench.reply("c1", Qos::at_least_once);
  CHECK(bench.said(PacketType::puback).empty());
  SECTION("and not when the disk has no room for that") {
    bench.commit_once(Errc::no_space);
    const auto answers = bench.said(PacketType::puback);
    REQUIRE(answers.size() == 1);
    CHECK(is_failure(answers[0].second));
    CHECK(bench.state("c1") == CommandState::queued);
  }
  SECTION("which it is") {
    bench.commit();
    CHECK(bench.said(PacketType::puback).size() == 1);
    CHECK(bench.state("c1") == CommandState::expired);
  }
}

TEST_CASE("LaneShard does not send a command that was cancelled before the last run ended",
          "[session][command]") {
  Bench bench;
  const CommandState last = GENERATE(CommandState::cancelled, CommandState::queued);
  storage::SessionRow session;
  session.number = 5;
  session.expiry_s = for_ever;
  bench.lane().load_client(Bytes{device}, session);
  storage::CommandRow row;
  row.device = Bytes{device};
  row.id = "c1";
  row.payload = "null";
  row.expires_at = 60'000;
  row.steps = {{CommandState::queued, 1'000}};
  row.session = 5;
  row.queue_number = 1;
  if (last != CommandState::queued) row.steps.push_back({last, 1'000});
  bench.lane().ledger().put(row);
  SessionQueue::Entry entry;
  storage::MessageView view;
  view.qos = 1;
  view.topic = "vehicles/car1/commands/c1";
  entry.message = storage::Message::make(view);
  entry.options = 1;
  bench.lane().find_session(5)->queue.enqueue(1, std::move(entry), {});
  bench.core.start();
  bench.core.end_turn();
  bench.commit();
  bench.connect(for_ever);
  // What waits for its device is read from the disk first.
  const auto next = bench.lane().find_session(5)->queue.next_to_send();
  CHECK(next == (last == CommandState::queued ? 1U : 0U));
}

TEST_CASE("Front acknowledges a QoS 2 reply of a clean session when it is on disk",
          "[session][command]") {
  Bench bench;
  bench.connect(0);
  bench.subscribe();
  bench.submit("c1");
  bench.commit();
  bench.reply("c1", Qos::exactly_once);
  CHECK(bench.said(PacketType::pubrec).size() == 1);
  bench.acknowledge(PacketType::pubrel, 7);
  CHECK(bench.said(PacketType::pubcomp).empty());
  bench.commit();
  CHECK(bench.said(PacketType::pubcomp).size() == 1);
  CHECK(bench.state("c1") == CommandState::succeeded);
}

TEST_CASE("Front acknowledges a QoS 2 reply of a session that lives on when it is on disk",
          "[session][command]") {
  Bench bench;
  bench.connect(for_ever);
  bench.subscribe();
  bench.commit();
  bench.submit("c1");
  bench.commit();
  bench.reply("c1", Qos::exactly_once);
  CHECK(bench.said(PacketType::pubrec).empty());
  SECTION("and not when the disk has no room") {
    bench.commit_once(Errc::no_space);
    const auto answers = bench.said(PacketType::pubrec);
    REQUIRE(answers.size() == 1);
    CHECK(is_failure(answers[0].second));
  }
  SECTION("") {
    bench.commit();
    CHECK(bench.said(PacketType::pubrec).size() == 1);
    CHECK(bench.state("c1") == CommandState::succeeded);
  }
}

TEST_CASE("LaneShard queues a command for a session that subscribed when the disk was full",
          "[session][command]") {
  Bench bench;
  bench.connect(for_ever);
  bench.submit("c1");
  bench.commit();
  bench.subscribe();
  bench.commit_once();  // The subscription; now the command is to be queued.
  bench.commit_once(Errc::no_space);
  bench.turn(2'000);
  bench.commit();
  CHECK(bench.said(PacketType::publish).size() == 1);
}

TEST_CASE("LaneShard queues a command that was on its way to the disk when its device subscribed",
          "[session][command]") {
  Bench bench;
  bench.connect(for_ever);
  bench.subscribe();
  bench.submit("c1");
  bench.commit();
  CHECK(bench.said(PacketType::publish).size() == 1);
}

TEST_CASE("LaneShard queues at its start what the last run had no time to queue",
          "[session][command]") {
  Bench bench;
  storage::SessionRow session;
  session.number = 5;
  session.expiry_s = for_ever;
  bench.lane().load_client(Bytes{device}, session);
  bench.lane().find_session(5)->filters.push_back({Bytes{commands}, 1, 0});
  storage::CommandRow row;
  row.device = Bytes{device};
  row.id = "c1";
  row.payload = "null";
  row.expires_at = 60'000;
  row.steps = {{CommandState::queued, 1'000}};
  bench.lane().ledger().put(row);
  bench.core.start();
  bench.core.end_turn();
  bench.commit();
  CHECK(bench.lane().ledger().find(device, "c1")->session == 5);
}

TEST_CASE("LaneShard does not call a command sent that it drops as expired", "[session][command]") {
  Bench bench;
  bench.connect(for_ever);
  bench.subscribe();
  bench.commit();
  bench.submit("c1", 1'000);  // As old as the turn: it expires before it is in the queue.
  bench.commit();
  CHECK(bench.said(PacketType::publish).empty());
  CHECK(bench.state("c1") == CommandState::queued);
}

}  // namespace naru::broker

// test/broker/session/lane_outbox_test.cpp
//
// Goal: what the broker owes a QoS 2 publisher is done once, in order, and told only to the
// connection that asks. Method: the lanes of one shard out of two; the connections are on the
// other shard, so that every word to them lies open in the output.

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

constexpr ConnectionId first = std::uint64_t{1} << 48 | 1;
constexpr ConnectionId second = std::uint64_t{1} << 48 | 2;

MessageRef message(std::uint64_t number) {
  MessageView view;
  view.origin.number = number;
  view.qos = 2;
  view.topic = "t";
  const Bytes payload = std::to_string(number);
  view.payload = payload;
  return Message::make(view);
}

class Bench : public test::HalfShard {
 public:
  SessionNumber attach(ConnectionId connection) {
    hop::Attach attach;
    attach.connection = connection;
    attach.client_id = publisher;
    attach.clean_start = false;
    attach.expiry_s = 1000;
    attach.receive_maximum = 10;
    take(attach);
    commit();
    return told<hop::Attached>().at(0).session;
  }

  const Bytes publisher = test::client_of_shard(0, "publisher");
  const LaneId lane = cluster::lane_of(publisher);
};

}  // namespace

TEST_CASE("LaneShard publishes what it owes after a start in the order of its arrival",
          "[session][MQTT-4.6]") {
  Bench bench;
  const Bytes subscriber = test::client_of_shard(0, "subscriber");
  SessionRow row;
  row.number = 77;
  bench.core.lanes().lane(cluster::lane_of(subscriber)).load_client(subscriber, row);
  bench.routes.add("t", {77, 0, cluster::lane_of(subscriber), Route::Kind::session, 2});
  LaneState& lane = bench.core.lanes().lane(bench.lane);
  for (std::uint64_t id = 200; id > 100; --id) {
    lane.load_outbox(id, {OutboxKind::inbound, bench.publisher, 5, std::uint16_t(id), true}, id);
    lane.find_outbox(id)->message = message(id);
    lane.find_outbox(id)->origin.number = id;
  }
  bench.core.start();
  bench.core.end_turn();
  std::vector<Bytes> sent;
  for (const CommitUnit& unit : bench.core.output().units) {
    if (unit.message) sent.push_back(Bytes{Message::decode(*unit.message)->view().payload});
  }
  CHECK(sent.size() == 100);
  CHECK(std::ranges::is_sorted(sent));
}

TEST_CASE("LaneShard sends PUBCOMP only to the connection that sent PUBREL",
          "[session][MQTT-4.3.3]") {
  Bench bench;
  const SessionNumber session = bench.attach(first);
  bench.take(hop::Receive{bench.lane, first, session, 9, true, Carried{message(1)}});
  bench.commit();
  CHECK(bench.told<hop::Received>().size() == 1);
  bench.take(hop::Release{bench.lane, first, session, 9});
  bench.take(hop::Detach{first, bench.publisher, true, 0, {}});
  bench.attach(second);
  CHECK(bench.told<hop::Completed>().empty());
  bench.take(hop::Release{bench.lane, second, session, 9});
  const auto completed = bench.told<hop::Completed>();
  REQUIRE(completed.size() == 1);
  CHECK(completed[0].connection == second);
}

TEST_CASE("A QoS 2 publish that nobody has to store does not overtake a stored one",
          "[session][MQTT-4.6]") {
  Bench bench;
  const SessionNumber session = bench.attach(first);
  bench.take(hop::Receive{bench.lane, first, session, 1, true, Carried{message(1)}});
  SECTION("that is on disk") { bench.commit(); }
  SECTION("that is on its way there") {}
  bench.take(hop::Receive{bench.lane, first, session, 2, false, Carried{message(2)}});
  bench.commit();
  CHECK(bench.told<hop::Received>().size() == 2);
  bench.take(hop::Release{bench.lane, first, session, 1});
  bench.take(hop::Release{bench.lane, first, session, 2});
  CHECK(bench.told<hop::Completed>().empty());
  bench.commit();
  const auto completed = bench.told<hop::Completed>();
  REQUIRE(completed.size() == 2);
  CHECK(completed[0].packet_id == 1);
  CHECK(completed[1].packet_id == 2);
}

TEST_CASE("LaneShard takes a new QoS 2 publish under a packet id that is free again",
          "[session][MQTT-2.2.1]") {
  Bench bench;
  const SessionNumber session = bench.attach(first);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    bench.take(hop::Receive{bench.lane, first, session, 9, true, Carried{message(number)}});
    bench.commit();
    CHECK(bench.told<hop::Received>().size() == 1);
    bench.take(hop::Release{bench.lane, first, session, 9});
    bench.commit();
    CHECK(bench.told<hop::Completed>().size() == 1);
  }
}

TEST_CASE("LaneShard lets a client ask again for a release that found no room",
          "[session][MQTT-4.3.3]") {
  Bench bench;
  const SessionNumber session = bench.attach(first);
  bench.take(hop::Receive{bench.lane, first, session, 9, true, Carried{message(1)}});
  bench.commit();
  bench.take(hop::Release{bench.lane, first, session, 9});
  bench.commit(Errc::no_space);
  CHECK(bench.told<hop::Evict>().size() == 1);
  bench.attach(second);
  bench.take(hop::Release{bench.lane, second, session, 9});
  bench.commit();
  CHECK(bench.told<hop::Completed>().size() == 1);
}

TEST_CASE("LaneShard sends PUBREL once a cursor that found no room has found some",
          "[session][MQTT-4.3.3]") {
  Bench bench;
  const SessionNumber session = bench.attach(first);
  hop::PublishTo publish{Carried{message(1)}, {}, false, {1, 42, {1, 7}, 0}};
  publish.deliveries = {{Route::Kind::session, bench.lane, session, 2, {}}};
  bench.take(publish);
  bench.commit();
  const auto sent = bench.told<hop::QueueDeliver>();
  REQUIRE(sent.size() == 1);
  bench.take(
      hop::QueueAck{bench.lane, session, sent[0].epoch, sent[0].packet_id, hop::AckKind::pubrec});
  bench.commit_once(Errc::no_space);
  CHECK(bench.told<hop::QueueRelease>().empty());
  bench.core.begin_turn(Instant{Seconds{1}}, 1'000, 1'000);
  bench.core.end_turn();
  bench.commit();
  CHECK(bench.told<hop::QueueRelease>().size() == 1);
}

TEST_CASE("LaneShard takes no new message for a session while the disk has no room for it",
          "[session]") {
  Bench bench;
  const SessionNumber session = bench.attach(first);
  bench.core.set_room({true, false, true});
  hop::PublishTo publish{Carried{message(1)}, {}, false, {1, 42, {1, 7}, 0}};
  publish.deliveries = {{Route::Kind::session, bench.lane, session, 2, {}}};
  bench.take(publish);
  const auto refused = bench.told<hop::Committed>();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].failure == 1);
  CHECK((refused[0].publisher == PublisherId{1, 7}));
  CHECK(bench.core.counters().refused_disk_full == 1);

  // What its publisher sent before it heard of that would overtake it; others may.
  bench.core.set_room({});
  bench.take(publish);
  const auto behind = bench.told<hop::Committed>();
  REQUIRE(behind.size() == 1);
  CHECK(behind[0].failure == 2);
  publish.reply.publisher = {2, 7};  // Numbers of sessions are of their lane.
  bench.take(publish);
  bench.commit();
  const auto beside = bench.told<hop::Committed>();
  REQUIRE(beside.size() == 1);
  CHECK(beside[0].failure == 0);

  publish.reply.publisher = {1, 7};
  publish.reply.heard = 2;
  bench.take(publish);
  bench.commit();
  const auto taken = bench.told<hop::Committed>();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].failure == 0);
}

}  // namespace naru::broker

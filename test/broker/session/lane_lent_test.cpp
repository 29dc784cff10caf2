// test/broker/session/lane_lent_test.cpp
//
// Goal: a session that is a member of a group answers for each message it was lent, whatever
// becomes of its client. Method: the lanes of one shard out of two; group and connection are on the
// other shard, so that every word to them lies open in the output.

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

constexpr ConnectionId connection = std::uint64_t{1} << 48 | 1;
constexpr GroupPlace first_place{1, 0x10000000005, 3};
constexpr GroupPlace second_place{1, 0x10000000005, 4};

class Bench : public test::HalfShard {
 public:
  Bench() { connect(true); }

  // Leaves what was said before, and the answer, to be read.
  void attach(bool clean_start) {
    hop::Attach attach;
    attach.connection = connection;
    attach.client_id = client_id;
    attach.clean_start = clean_start;
    attach.expiry_s = 1000;
    attach.receive_maximum = 10;
    take(attach);
    commit();
  }
  void connect(bool clean_start) {
    attach(clean_start);
    for (const auto& attached : told<hop::Attached>()) {
      session = attached.session;
      epoch = attached.epoch;
    }
  }
  void lose() { take(hop::Detach{connection, client_id, true, 0, {}}); }
  static MessageRef message(const GroupPlace& place, std::uint8_t qos, StoreMillis expires_at) {
    MessageView view;
    view.expires_at = expires_at;
    view.origin = origin_of(place);
    view.qos = qos;
    view.topic = "t";
    return Message::make(view);
  }
  void lend(const GroupPlace& place, std::uint8_t qos, StoreMillis expires_at = 0) {
    hop::PublishTo publish{Carried{message(place, qos, expires_at)}, {}, false, {}};
    const auto options = static_cast<std::uint8_t>(qos | lent_flag);
    publish.deliveries = {{Route::Kind::session, lane, session, options, {}}};
    take(publish);
  }
  void acknowledge(std::uint16_t packet_id, hop::AckKind kind) {
    take(hop::QueueAck{lane, session, epoch, packet_id, kind});
  }
  // The one answer so far, which has to be of this kind.
  hop::GroupAnswer answer(AnswerKind kind) {
    const auto answers = told<hop::GroupAnswer>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].kind == kind);
    return answers[0];
  }

  const Bytes client_id = test::client_of_shard(0, "member");
  const LaneId lane = cluster::lane_of(client_id);
  SessionNumber session = 0;
  std::uint64_t epoch = 0;
};

}  // namespace

TEST_CASE("A lent message that is acknowledged is done", "[group]") {
  Bench bench;
  bench.lend(first_place, 1);
  bench.commit();
  const auto sent = bench.told<hop::QueueDeliver>();
  REQUIRE(sent.size() == 1);
  bench.acknowledge(sent[0].packet_id, hop::AckKind::puback);
  CHECK(bench.answer(AnswerKind::done).place.number == first_place.number);
}

TEST_CASE("A lent message that its client cannot take is another member's", "[group]") {
  Bench bench;
  const auto why = GENERATE(hop::AckKind::too_large, hop::AckKind::forbidden);
  bench.lend(first_place, 1);
  bench.commit();
  const auto sent = bench.told<hop::QueueDeliver>();
  REQUIRE(sent.size() == 1);
  bench.acknowledge(sent[0].packet_id, why);
  CHECK(bench.answer(AnswerKind::unfit).place.number == first_place.number);
  CHECK(bench.core.counters().dropped_too_large == 0);
}

TEST_CASE("A QoS 2 message its client cannot take is another's when that is on disk",
          "[group][MQTT-4.8.2]") {
  Bench bench;
  bench.lend(first_place, 2);
  bench.commit();
  const auto sent = bench.told<hop::QueueDeliver>();
  REQUIRE(sent.size() == 1);
  bench.acknowledge(sent[0].packet_id, hop::AckKind::too_large);
  CHECK(bench.told<hop::GroupAnswer>().empty());
  bench.commit();
  CHECK(bench.answer(AnswerKind::unfit).place.number == first_place.number);
}

TEST_CASE("A lent message goes back when there is no client or no room", "[group]") {
  Bench bench;
  bench.lend(first_place, 1);
  bench.commit(Errc::no_space);
  bench.answer(AnswerKind::failed);
  bench.core.set_room({true, false, true});
  bench.lend(first_place, 1);
  bench.answer(AnswerKind::failed);
  bench.core.set_room({});
  bench.lose();
  bench.commit();
  bench.lend(first_place, 1);
  bench.answer(AnswerKind::returned);
}

TEST_CASE("What is committed after its client has gone goes back", "[group]") {
  Bench bench;
  bench.lend(first_place, 1);
  bench.lose();
  CHECK(bench.told<hop::GroupAnswer>().empty());
  bench.commit();
  bench.answer(AnswerKind::returned);
}

TEST_CASE("A client that goes leaves its lent messages, but not QoS 2 it may know",
          "[group][MQTT-4.8.2]") {
  Bench bench;
  bench.lend(first_place, 1);
  bench.lend(second_place, 2);
  bench.commit();
  REQUIRE(bench.told<hop::QueueDeliver>().size() == 2);
  bench.lose();
  bench.commit();
  CHECK(bench.answer(AnswerKind::returned).place.number == first_place.number);
}

TEST_CASE("A QoS 2 message goes back when it is on disk that the session has let it go",
          "[group][MQTT-4.8.2]") {
  Bench bench;
  bench.lend(first_place, 2);
  bench.lose();
  bench.commit_once();  // It is in the queue of a session that has no client now.
  CHECK(bench.told<hop::GroupAnswer>().empty());
  SECTION("at once") { bench.commit(); }
  SECTION("or when there is room for it") {
    bench.commit(Errc::no_space);
    CHECK(bench.told<hop::GroupAnswer>().empty());
    bench.core.begin_turn(Instant{Seconds{1}}, 1'000, 1'000);
    bench.core.end_turn();
    bench.commit();
  }
  SECTION("or when the session is gone") { bench.attach(true); }
  CHECK(bench.answer(AnswerKind::returned).place.number == first_place.number);
}

TEST_CASE("A QoS 2 message its client may know goes to nobody else", "[group][MQTT-4.8.2]") {
  Bench bench;
  bench.lend(second_place, 2);
  bench.commit();
  bench.lose();
  bench.commit();
  CHECK(bench.told<hop::GroupAnswer>().empty());
  bench.attach(true);
  CHECK(bench.answer(AnswerKind::done).place.number == second_place.number);
  CHECK(bench.core.counters().dropped_group_ended == 1);
}

TEST_CASE("A QoS 2 message its client may know does not expire", "[group][MQTT-3.3.2]") {
  Bench bench;
  bench.lend(first_place, 1, 1'000);
  bench.lend(second_place, 2, 1'000);
  bench.commit();
  REQUIRE(bench.told<hop::QueueDeliver>().size() == 2);
  bench.lose();
  bench.commit();
  bench.core.begin_turn(Instant{Seconds{2}}, 2'000, 2'000);
  bench.attach(false);
  const auto fetches = std::exchange(bench.core.output().fetches, {});
  REQUIRE(fetches.size() == 1);
  bench.core.on_fetched({fetches[0], {Bench::message(second_place, 2, 1'000)}});
  bench.core.end_turn();
  const auto sent = bench.told<hop::QueueDeliver>();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].dup);
}

TEST_CASE("A lent QoS 2 message is released when its group has noted that", "[group][MQTT-4.3.3]") {
  Bench bench;
  bench.lend(second_place, 2);
  bench.commit();
  const auto sent = bench.told<hop::QueueDeliver>();
  REQUIRE(sent.size() == 1);
  bench.acknowledge(sent[0].packet_id, hop::AckKind::pubrec);
  bench.commit();
  const auto received = bench.answer(AnswerKind::received);
  CHECK(received.session == bench.session);
  bench.take(hop::GroupTaken{0, 0, received.lane, received.session, received.number});
  CHECK(bench.told<hop::QueueRelease>().empty());
  bench.commit();
  CHECK(bench.told<hop::QueueRelease>().size() == 1);
  bench.acknowledge(sent[0].packet_id, hop::AckKind::pubcomp);
  CHECK(bench.told<hop::GroupAnswer>().empty());
}

TEST_CASE("A session of a run before keeps lent QoS 2 messages and lets go of the others",
          "[group]") {
  Bench bench;
  LaneState& lane = bench.core.lanes().lane(bench.lane);
  Bytes other = "0";
  for (int i = 1; cluster::lane_of(other) != bench.lane; ++i) other = std::to_string(i);
  SessionRow row;
  row.number = 77;
  row.expiry_s = 1000;
  lane.load_client(other, row);
  Session& session = *lane.find_session(77);
  SessionQueue::Entry one, two;
  one.options = 1 | lent_flag;
  two.options = 2 | lent_flag;
  session.queue.enqueue(1, one, {});
  session.queue.enqueue(2, two, {});
  session.lent = {{1, first_place}, {2, second_place}};
  bench.core.start();
  bench.core.end_turn();
  CHECK(session.queue.size() == 1);
  CHECK(session.lent.size() == 1);
  CHECK(session.lent.contains(2));
  CHECK(session.queue.sent_before(2));
  CHECK(bench.told<hop::GroupAnswer>().empty());
}

}  // namespace naru::broker

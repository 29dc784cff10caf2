// test/broker/session/lane_delayed_test.cpp
//
// Goal: a delayed publish is taken once it is on disk, goes out once when it is due, and comes back
// from every step that fails. Method: the lanes of one shard out of two; the publisher is on the
// other shard, so that every word to it lies open in the output; the subscriber is a session here.

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

constexpr ConnectionId connection = std::uint64_t{1} << 48 | 1;
constexpr SessionNumber subscriber_session = 77;

class Bench : public test::HalfShard {
 public:
  Bench() {
    SessionRow row;
    row.number = subscriber_session;
    core.lanes().lane(home).load_client(subscriber, row);
    routes.add("t", {subscriber_session, 0, home, Route::Kind::session, 2});
  }

  MessageRef message(std::uint64_t number, std::uint8_t qos = 1, StoreMillis expires_at = 0) {
    MessageView view;
    view.origin.number = number;
    view.stamp = {5, number, 1};
    view.expires_at = expires_at;
    view.qos = qos;
    view.sender = publisher;
    view.topic = "t";
    const Bytes payload = std::to_string(number);
    view.payload = payload;
    return messages.emplace_back(Message::make(view));
  }
  hop::PublishLater later(std::uint64_t number, StoreMillis due_at, std::uint8_t qos = 1,
                          StoreMillis expires_at = 0) {
    hop::PublishLater hop{lane, 0, 0, 0, due_at, Carried{message(number, qos, expires_at)}, {}};
    if (qos != 0) hop.reply = {1, number, {1, connection}, 0};
    return hop;
  }
  SessionNumber attach() {
    hop::Attach attach;
    attach.connection = connection;
    attach.client_id = publisher;
    attach.expiry_s = 1000;
    attach.receive_maximum = 10;
    take(attach);
    commit();
    return told<hop::Attached>().at(0).session;
  }
  hop::PublishLater twice(SessionNumber session, std::uint16_t id, StoreMillis due_at) {
    return {lane, connection, session, id, due_at, Carried{message(id, 2)}, {}};
  }
  // The store time, and what comes due with it. What is read back for it comes back at once.
  void time(StoreMillis now) {
    core.begin_turn(Instant{Millis{static_cast<std::int64_t>(now)}}, now, now);
    core.end_turn();
    read_back();
  }
  void read_back() {
    for (Fetch& fetch : std::exchange(core.output().fetches, {})) {
      const Outbox* const outbox = core.lanes().lane(lane).find_outbox(fetch.outbox);
      const auto found = std::ranges::find_if(messages, [&](const MessageRef& each) {
        return each && each->view().origin == outbox->origin;
      });
      core.on_fetched({fetch, {found == messages.end() ? nullptr : *found}});
      core.end_turn();
    }
  }
  std::uint64_t queued() {
    return core.lanes().lane(home).find_session(subscriber_session)->queue.last();
  }
  std::vector<hop::Committed> answers() { return told<hop::Committed>(); }
  std::size_t owed() { return core.lanes().lane(lane).outboxes().size(); }

  const Bytes publisher = test::client_of_shard(0, "publisher");
  const Bytes subscriber = test::client_of_shard(0, "subscriber");
  const LaneId lane = cluster::lane_of(publisher);
  const LaneId home = cluster::lane_of(subscriber);
  std::vector<MessageRef> messages;  // The journal.
};

// The messages of those units that put one into a queue.
std::vector<MessageRef> enqueued(const ShardOutput& output) {
  std::vector<MessageRef> list;
  for (const CommitUnit& unit : output.units) {
    if (unit.message) list.push_back(Message::decode(*unit.message));
  }
  return list;
}

}  // namespace

TEST_CASE("LaneShard takes a delayed publish when it is on disk, and publishes it when it is due",
          "[session][delayed]") {
  Bench bench;
  bench.take(bench.later(1, 5'000));
  CHECK(bench.answers().empty());
  bench.commit();
  const auto answers = bench.answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].failure == 0);
  CHECK(bench.core.lanes().delayed() == 1);

  bench.time(4'999);
  CHECK(bench.core.output().units.empty());
  bench.time(5'000);
  const auto sent = enqueued(bench.core.output());
  REQUIRE(sent.size() == 1);
  const MessageView& view = sent[0]->view();
  CHECK(view.payload == "1");
  CHECK(view.origin.number == 1);
  CHECK(view.stamp.epoch == 5);
  CHECK(view.stamp.publish == 1);
  CHECK(view.stamp.received_at == 5'000);  // A stream keeps it from now on.
  bench.commit();
  CHECK(bench.queued() == 1);
  CHECK(bench.owed() == 0);
  CHECK(bench.core.lanes().delayed() == 0);
  CHECK(bench.core.counters().delayed_published == 1);
  CHECK(bench.told<hop::OriginForget>().size() == 1);
}

TEST_CASE("LaneShard publishes what is due in the order of its times", "[session][delayed]") {
  Bench bench;
  bench.take(bench.later(1, 3'000));
  bench.take(bench.later(2, 2'000));
  bench.take(bench.later(3, 2'000, 0));  // Nobody waits for it, and it is kept.
  bench.take(bench.later(4, 2'500));
  bench.commit();
  CHECK(bench.answers().size() == 3);
  bench.time(9'000);
  std::vector<Bytes> sent;
  for (const MessageRef& each : enqueued(bench.core.output())) {
    sent.emplace_back(each->view().payload);
  }
  CHECK(sent == std::vector<Bytes>{"2", "4", "1"});
  bench.commit();
  CHECK(bench.owed() == 0);
  CHECK(bench.core.counters().delayed_published == 4);
}

TEST_CASE("LaneShard lets no delayed publish overtake one that takes longer to read",
          "[session][delayed]") {
  Bench bench;
  bench.take(bench.later(1, 2'000));
  bench.take(bench.later(2, 3'000));
  bench.commit();
  bench.core.begin_turn(Instant{Seconds{9}}, 9'000, 9'000);
  bench.core.end_turn();
  auto fetches = std::exchange(bench.core.output().fetches, {});
  REQUIRE(fetches.size() == 2);
  bench.core.on_fetched({fetches[1], {bench.messages[1]}});
  bench.core.end_turn();
  CHECK(bench.core.output().units.empty());
  bench.core.on_fetched({fetches[0], {bench.messages[0]}});
  bench.core.end_turn();
  const auto sent = enqueued(bench.core.output());
  REQUIRE(sent.size() == 2);
  CHECK(sent[0]->view().payload == "1");
  CHECK(sent[1]->view().payload == "2");
}

TEST_CASE("LaneShard completes a delayed QoS 2 publish long before it is due",
          "[session][delayed][MQTT-4.3.3]") {
  Bench bench;
  const SessionNumber session = bench.attach();
  bench.take(bench.twice(session, 9, 5'000));
  CHECK(bench.told<hop::Received>().empty());
  bench.commit();
  CHECK(bench.told<hop::Received>().size() == 1);
  bench.take(bench.twice(session, 9, 6'000));  // The same once more.
  CHECK(bench.told<hop::Received>().size() == 1);
  CHECK(bench.owed() == 1);

  bench.time(5'500);  // It is due, and not released.
  CHECK(bench.core.output().units.empty());
  bench.take(hop::Release{bench.lane, connection, session, 9});
  CHECK(bench.told<hop::Completed>().empty());
  bench.commit_once();
  const auto completed = bench.told<hop::Completed>();
  REQUIRE(completed.size() == 1);
  CHECK(completed[0].known);
  bench.read_back();
  bench.commit();
  CHECK(bench.queued() == 1);

  // The id is free again; its PUBREL finds nothing.
  bench.take(hop::Release{bench.lane, connection, session, 9});
  const auto again = bench.told<hop::Completed>();
  REQUIRE(again.size() == 1);
  CHECK_FALSE(again[0].known);
  bench.take(bench.twice(session, 9, 9'000));
  bench.commit();
  CHECK(bench.told<hop::Received>().size() == 1);
}

TEST_CASE("LaneShard refuses a delayed publish that finds no room on disk", "[session][delayed]") {
  Bench bench;
  const SessionNumber session = bench.attach();
  const bool by_commit = GENERATE(true, false);
  if (!by_commit) bench.core.lanes().set_room({true, false, true});
  bench.take(bench.later(1, 5'000));
  bench.commit(Errc::no_space);
  const auto answers = bench.answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].failure != 0);
  bench.take(bench.twice(session, 9, 5'000));
  bench.commit(Errc::no_space);
  const auto received = bench.told<hop::Received>();
  REQUIRE(received.size() == 1);
  CHECK(received[0].failed);
  CHECK(bench.core.lanes().delayed() == 0);
  CHECK(bench.owed() == 0);
  std::set<std::uint64_t> pinned;
  for (const HorizonChange& each : bench.core.output().horizon) {
    if (each.kind == HorizonChange::Kind::outbox_opened) pinned.insert(each.number);
    if (each.kind == HorizonChange::Kind::outbox_closed) pinned.erase(each.number);
  }
  CHECK(pinned.empty());

  bench.core.lanes().set_room({});
  bench.take(bench.twice(session, 9, 5'000));  // The client tries again.
  bench.commit();
  CHECK(bench.told<hop::Received>().size() == 1);
  CHECK(bench.owed() == 1);
}

TEST_CASE("LaneShard takes no more delayed publishes of a client than its limit",
          "[session][delayed]") {
  Bench bench;
  const SessionNumber session = bench.attach();
  ShardSettings settings = test::HalfShard::half();
  settings.max_delayed_messages = 2;
  bench.core.reload(settings);
  bench.take(bench.later(1, 5'000));
  bench.take(bench.later(2, 6'000));  // The first is not on disk yet, and counts.
  bench.take(bench.later(3, 7'000));
  const auto refused = bench.told<hop::Refused>();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].number == 3);
  bench.take(bench.later(4, 7'000, 0));
  bench.take(bench.twice(session, 9, 7'000));
  const auto received = bench.told<hop::Received>();
  REQUIRE(received.size() == 1);
  CHECK(received[0].failed);
  CHECK(bench.core.counters().refused_delayed == 3);
  bench.commit();

  // Nothing else of the front is held up by that, and what has gone out makes room.
  hop::PublishTo publish{Carried{bench.message(20)}, {}, false, {1, 42, {1, 7}, 0}};
  publish.deliveries = {{Route::Kind::session, bench.home, subscriber_session, 1, {}}};
  bench.take(publish);
  bench.time(5'000);
  bench.commit();
  bench.take(bench.later(5, 7'000));
  bench.commit();
  const auto answers = bench.answers();
  CHECK(answers.size() == 4);  // The first two, the one beside them, the last.
  for (const hop::Committed& each : answers) CHECK(each.failure == 0);
}

TEST_CASE("LaneShard drops a delayed publish that has expired, and counts it",
          "[session][delayed][MQTT-3.3.2-5]") {
  Bench bench;
  bench.take(bench.later(1, 5'000, 1, 5'000));
  bench.take(bench.later(2, 5'000, 1, 5'001));
  bench.commit();
  bench.time(5'000);
  const auto sent = enqueued(bench.core.output());
  REQUIRE(sent.size() == 1);
  CHECK(sent[0]->view().payload == "2");
  bench.commit();
  CHECK(bench.core.counters().dropped_expired == 1);
  CHECK(bench.core.counters().delayed_published == 1);
  CHECK(bench.owed() == 0);
}

TEST_CASE("LaneShard tries a delayed publish again that found no room when it was due",
          "[session][delayed]") {
  Bench bench;
  bench.take(bench.later(1, 5'000));
  bench.commit();
  bench.core.lanes().set_room({true, false, true});
  bench.time(5'000);
  CHECK(bench.core.output().units.empty());
  bench.time(5'999);
  CHECK(bench.core.output().fetches.empty());
  bench.core.lanes().set_room({});
  bench.time(6'000);
  bench.commit_once(Errc::no_space);
  CHECK(bench.queued() == 0);
  bench.time(7'000);
  bench.commit();
  CHECK(bench.queued() == 1);
  CHECK(bench.owed() == 0);
  CHECK(bench.core.lanes().delayed() == 0);
  CHECK(bench.core.counters().delayed_published == 1);
}

TEST_CASE("LaneShard counts a delayed publish once whose end was not noted",
          "[session][delayed][I7]") {
  Bench bench;
  bench.take(bench.later(1, 5'000));
  bench.commit();
  bench.time(5'000);
  bench.commit_once();                // Into the queue.
  bench.commit_once(Errc::no_space);  // Out of the outbox.
  CHECK(bench.queued() == 1);
  CHECK(bench.owed() == 1);
  CHECK(bench.core.lanes().delayed() == 1);
  bench.time(6'000);
  bench.commit();
  CHECK(bench.queued() == 1);
  CHECK(bench.owed() == 0);
  CHECK(bench.core.lanes().delayed() == 0);
  CHECK(bench.core.counters().delayed_published == 1);
}

TEST_CASE("LaneShard lets a delayed publish go whose message the journal has not",
          "[session][delayed]") {
  Bench bench;
  bench.take(bench.later(1, 5'000));
  bench.commit();
  bench.messages.clear();
  bench.time(5'000);
  bench.commit();
  CHECK(bench.owed() == 0);
  CHECK(bench.core.counters().dropped_lost == 1);
}

}  // namespace naru::broker

// test/broker/session/lane_sent_test.cpp
//
// Goal: what a client may have of its queue is not forgotten with the process: a QoS 2 message
// whose delivery has begun does not expire, since its client waits for PUBREL under its packet id.
// Method: the lanes of one shard out of two, the connection on the other; what a unit puts on disk
// is read from the records that are applied when it is committed.

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

const std::uint64_t window = ShardSettings{}.max_inflight;
constexpr ConnectionId connection = std::uint64_t{1} << 48 | 1;

class Bench : public test::HalfShard {
 public:
  Bench() {
    core.lanes().on_applied = [this](const Record& record) { applied.push_back(record); };
  }
  void attach() {
    hop::Attach attach;
    attach.connection = connection;
    attach.client_id = client_id;
    attach.expiry_s = 1000;
    attach.receive_maximum = 10;
    take(attach);
    commit();
    for (const auto& attached : told<hop::Attached>()) session = attached.session;
    applied.clear();
  }
  void publish(std::uint8_t qos) {
    MessageView view;
    view.topic = "t";
    view.qos = qos;
    view.origin = {1, 1, 1, ++published};
    hop::PublishTo publish{Carried{Message::make(view)}, {}, false, {}};
    publish.deliveries = {{Route::Kind::session, lane, session, qos, {}}};
    take(publish);
    commit();
  }
  // A session as a start finds it: more QoS 2 messages than a window holds, and no cursor that
  // calls them sent.
  Session& found(bool connected) {
    SessionRow row;
    row.number = 77;
    row.expiry_s = 1000;
    row.connected = connected;
    core.lanes().lane(lane).load_client(client_id, row);
    Session& kept = *core.lanes().lane(lane).find_session(77);
    for (std::uint64_t number = 1; number <= window + 1; ++number) {
      SessionQueue::Entry entry;
      entry.options = 2;
      kept.queue.enqueue(number, entry, {});
    }
    core.start();
    core.end_turn();
    return kept;
  }
  // The cursor that is on disk no later than the end of the connection.
  std::optional<CursorRow> cursor_with_the_end() {
    REQUIRE(core.output().units.size() == 1);
    commit_once();
    std::optional<CursorRow> cursor;
    for (const Record& record : applied) {
      if (const auto* const put = std::get_if<CursorPut>(&record.body)) cursor = put->cursor;
      const auto* const row = std::get_if<SessionPut>(&record.body);
      if (row != nullptr && !row->row.connected) return cursor;
    }
    FAIL("the connection has not ended");
    return {};
  }

  const Bytes client_id = test::client_of_shard(0, "kept");
  const LaneId lane = cluster::lane_of(client_id);
  SessionNumber session = 0;
  std::uint64_t published = 0;
  std::vector<Record> applied;
};

}  // namespace

TEST_CASE("What was sent on a connection is on disk when its end is", "[session][MQTT-3.3.2]") {
  Bench bench;
  bench.attach();
  bench.publish(2);
  bench.publish(2);
  REQUIRE(bench.told<hop::QueueDeliver>().size() == 2);
  bench.applied.clear();
  bench.take(hop::Detach{connection, bench.client_id, true, 0, {}});
  const auto cursor = bench.cursor_with_the_end();
  REQUIRE(cursor);
  CHECK(cursor->sent_through == 2);
  SECTION("and not written again when nothing more was sent") {
    bench.attach();
    bench.told<hop::QueueDeliver>();
    bench.take(hop::Detach{connection, bench.client_id, true, 0, {}});
    CHECK_FALSE(bench.cursor_with_the_end());
  }
}

TEST_CASE("A cursor that found no room goes with the end that is tried again", "[session]") {
  Bench bench;
  bench.attach();
  bench.publish(2);
  bench.applied.clear();
  bench.take(hop::Detach{connection, bench.client_id, true, 0, {}});
  bench.commit(Errc::no_space);
  CHECK(bench.applied.empty());
  bench.core.begin_turn(Instant{Seconds{1}}, 1'000, 1'000);
  bench.core.end_turn();
  bench.commit();
  std::uint64_t sent_through = 0;
  for (const Record& record : bench.applied) {
    if (const auto* const put = std::get_if<CursorPut>(&record.body))
      sent_through = put->cursor.sent_through;
  }
  CHECK(sent_through == 1);
}

TEST_CASE("Who was connected when the process died may have a window of its queue",
          "[session][MQTT-3.3.2]") {
  Bench bench;
  SECTION("connected") {
    const Session& session = bench.found(true);
    CHECK(session.queue.sent_before(window));
    CHECK_FALSE(session.queue.sent_before(window + 1));
    const auto cursor = bench.cursor_with_the_end();
    REQUIRE(cursor);
    CHECK(cursor->sent_through == window);
  }
  SECTION("away") { CHECK_FALSE(bench.found(false).queue.sent_before(1)); }
}

}  // namespace naru::broker

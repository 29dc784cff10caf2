// test/broker/session/delayed_crash_test.cpp
//
// Goal: a delayed publish that was acknowledged reaches each of its targets exactly once, whenever
// the process dies. Method: a node with a session and a stream as targets dies after every number
// of steps from the publish until everything is done, and the next run finishes it.

#include <catch2/catch.hpp>

#include "broker/stream/rule.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"
#include "test/sim/sim_node.hpp"

namespace naru::test {
namespace {

using namespace broker;  // NOLINT: the cores are the vocabulary of this file.

constexpr Millis step_time{1};
constexpr Duration sync_time{500};
constexpr std::uint64_t delay = 20;

// A client id of a lane on this shard.
Bytes client_on(std::uint16_t shard, Bytes name) {
  while (cluster::lane_of(name) % 2 != shard) name.push_back('x');
  return name;
}

class Bench {
 public:
  explicit Bench(bool encode) : rng_{7} {
    auto key = KeyTemplate::parse("${client_id}");
    NARU_CHECK(key.has_value());
    options_.rules.push_back({"rule", {"t"}, "stream", std::move(*key)});
    options_.encode_hops = encode;
    start();
    hop::Attach attach;
    attach.connection = 1;
    attach.client_id = subscriber_;
    attach.expiry_s = 0xffffffff;
    say(attach, home_);
    settle();
    const SessionNumber session = client().session->number;
    say(hop::Subscribe{home_, 1, session, 1, {{"t", 2, 0}}, "\x02"}, home_);
    say(hop::Detach{1, subscriber_, false, 0, {}}, home_);
    settle();
  }

  void publish(std::uint8_t qos) {
    storage::MessageView view;
    view.origin = {1, 1, 9, 1};
    view.qos = qos;
    view.sender = publisher_;
    view.topic = "t";
    view.payload = "later";
    const StoreMillis due = SimNode::store_now(now_) + delay;
    hop::PublishLater later{lane_, 0, 0, 0, due, storage::Message::make(view), {}};
    if (qos != 0) later.reply = {0, 12'345, 0};
    say(later, lane_);
  }
  void step() {
    now_ = now_ + step_time;
    for (std::uint16_t shard = 0; shard < options_.shards; ++shard) node_->turn(shard, now_);
    node_->step_committer(now_, sync_time);
  }
  bool is_stored() { return node_->home_of(lane_).delayed() > 0 && node_->idle(); }
  void settle() {
    for (int quiet = 0; quiet < 4;) {
      step();
      bool idle = node_->idle();
      for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
        idle = idle && node_->shard(shard).lanes().idle();
      }
      quiet = idle ? quiet + 1 : 0;
    }
  }
  void crash(bool by_lanes) {
    node_->crash(by_lanes);
    node_.reset();
    disk_.crash();
    start();
  }
  void finish() {
    for (std::uint64_t i = 0; i < 100; ++i) step();
    settle();
    node_->drop_journal();
  }
  std::uint64_t queued() { return client().session->queue.last(); }
  std::uint64_t in_stream() {
    const LaneId at = cluster::lane_of(publisher_);
    return node_->home_of(at).lane(at).stream("stream").end() - 1;
  }
  std::size_t owed() { return node_->home_of(lane_).lane(lane_).outboxes().size(); }
  std::uint64_t waiting() { return node_->home_of(lane_).delayed(); }
  std::size_t remembered() {
    return node_->home_of(home_).lane(home_).seen().size() +
           node_->home_of(lane_).lane(lane_).seen().size();
  }

 private:
  void start() {
    node_ = std::make_unique<SimNode>(disk_, options_, rng_.fork());
    node_->start(now_);
  }
  void say(Hop hop, LaneId lane) { node_->shard(lane % options_.shards).on_hop(hop); }
  Client& client() { return *node_->home_of(home_).lane(home_).find_client(subscriber_); }

  storage::FaultKv disk_;
  Rng rng_;
  SimNodeOptions options_;
  Instant now_{Seconds{1}};
  std::unique_ptr<SimNode> node_;
  const Bytes publisher_ = client_on(0, "publisher");
  const Bytes subscriber_ = client_on(1, "subscriber");
  const LaneId lane_ = cluster::lane_of(publisher_);
  const LaneId home_ = cluster::lane_of(subscriber_);
};

}  // namespace

TEST_CASE("A delayed publish reaches its targets once wherever the process dies",
          "[session][delayed][I7]") {
  const auto steps = GENERATE(range(0, 45));
  const bool by_lanes = GENERATE(true, false);
  const bool encode = GENERATE(true, false);
  CAPTURE(steps, by_lanes, encode);
  Bench bench{encode};
  bench.publish(2);
  bench.settle();
  REQUIRE(bench.waiting() == 1);
  for (int i = 0; i < steps; ++i) bench.step();
  bench.crash(by_lanes);
  bench.finish();
  CHECK(bench.queued() == 1);
  CHECK(bench.in_stream() == 1);
  CHECK(bench.owed() == 0);
  CHECK(bench.waiting() == 0);
  CHECK(bench.remembered() == 0);
}

TEST_CASE("A delayed publish of QoS 0 is kept, too", "[session][delayed]") {
  Bench bench{false};
  bench.publish(0);
  bench.settle();
  REQUIRE(bench.waiting() == 1);
  bench.crash(false);
  CHECK(bench.waiting() == 1);
  bench.finish();
  CHECK(bench.in_stream() == 1);
  CHECK(bench.waiting() == 0);
}

}  // namespace naru::test

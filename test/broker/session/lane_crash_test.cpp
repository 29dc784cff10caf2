// test/broker/session/lane_crash_test.cpp
//
// Goal: no promise rests on two lanes being on disk together. Method: a busy node dies again and
// again, and of what was on its way each lane keeps a prefix of its own, whatever the others keep;
// the next start must find in each lane exactly what the surviving records of that lane say.

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "test/sim/lane_copy.hpp"
#include "test/sim/lane_load.hpp"
#include "test/support/checkers.hpp"

namespace naru::test {
namespace {

using broker::LaneId, broker::Seen;

constexpr int crashes = 4;

void check_states(const LaneLoad& load) {
  const ReadBack read = read_back(load.disk());
  CHECK(read.recovered.unreadable == 0);
  CHECK(read.recovered.gaps == 0);
  StateCopy copy;
  for (const Bytes& record : load.log()) copy.apply(record);
  copy.forget_what_cannot_come_again();
  const auto wanted = copy.digests();
  const auto found = read.digests();
  for (std::size_t lane = 0; lane < wanted.size(); ++lane) {
    INFO("lane " << lane);
    CHECK((found[lane] == wanted[lane]));  // In brackets: digests say nothing to people.
  }
}

// A step under "once" is taken once, however often its message was published.
void check_once(const LaneLoad& load) {
  std::set<std::pair<LaneId, Seen>> taken;
  for (const Bytes& bytes : load.log()) {
    const storage::Record record = decoded(bytes);
    Bytes stream;
    if (const auto* enqueued = std::get_if<storage::Enqueued>(&record.body)) {
      if (!enqueued->once) continue;
    } else if (const auto* appended = std::get_if<storage::StreamAppended>(&record.body)) {
      if (!appended->once) continue;
      stream = appended->stream;
    } else {
      continue;
    }
    const storage::Origin origin = message_of(record)->view().origin;
    INFO("lane " << record.head.lane << ", origin " << origin.number << ", stream '" << stream
                 << "'");
    CHECK(taken.emplace(record.head.lane, Seen{origin, stream}).second);
  }
}

// Everything somebody was told is safe is in a record that survived.
void check_acknowledged(const LaneLoad& load) {
  std::set<MessageId> telemetry;
  std::set<Bytes> commands, cursors;
  for (const Bytes& bytes : load.log()) {
    const storage::Record record = decoded(bytes);
    if (std::holds_alternative<storage::StreamAppended>(record.body)) {
      const storage::MessageRef message = message_of(record);
      MessageId id;
      if (parse_payload(message->view().payload, message->view().topic, id)) telemetry.insert(id);
    } else if (const auto* command = std::get_if<storage::CommandPut>(&record.body)) {
      commands.insert(command->row.id);
    } else if (const auto* consumer = std::get_if<storage::ConsumerPut>(&record.body)) {
      cursors.insert(consumer->cursor);
    }
  }
  for (const Bytes& id : load.commands()) CHECK(commands.contains(id));
  for (const Bytes& cursor : load.cursors()) CHECK(cursors.contains(cursor));
  std::size_t acknowledged = 0;
  for (const Publish& publish : Timeline{load.history()}.publishes) {
    const bool ruled = filter_matches("load/+/0", load.history().text(publish.topic));
    if (!ruled || publish.qos == 0 || publish.acked == never) continue;
    ++acknowledged;
    INFO(load.history().line(publish.sent));
    CHECK(telemetry.contains(publish.id));
  }
  CHECK(acknowledged > 0);
}

}  // namespace

TEST_CASE("Any subset of lanes may be on disk when the process dies", "[laws]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{17}));
  const auto shards = static_cast<std::uint16_t>(1 + seed % 2);
  CAPTURE(seed, shards);
  LaneLoad load{seed, shards};
  Rng rng{seed * 7919};
  for (int crash = 0; crash < crashes; ++crash) {
    INFO("crash " << crash);
    load.start();
    load.run(50 + rng.below(250));
    if (rng.chance(0.5)) load.drop_journal();
    load.run(rng.below(20));
    load.crash_by_lanes();
    check_states(load);
  }
  load.start();
  load.hold();  // What the dead processes owed is done.
  check_once(load);
  check_acknowledged(load);
}

}  // namespace naru::test

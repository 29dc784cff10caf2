// test/broker/session/lane_laws_test.cpp
//
// Goal: a lane is its records. Copied one by one into an empty store they give the same state and
// the same rows, and one that comes again changes nothing. Method: a busy node in virtual time; all
// it commits is encoded, decoded and given to somebody who has nothing else.

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"
#include "test/sim/lane_copy.hpp"
#include "test/sim/lane_load.hpp"

namespace naru::test {
namespace {

using storage::Body;

constexpr std::size_t steps = 600;  // Between two looks.

// The leader's states, when nothing is on its way.
std::vector<Bytes> digests_of(SimNode& node) {
  std::vector<Bytes> digests;
  for (broker::LaneId lane = 0; lane < cluster::lane_count; ++lane) {
    digests.push_back(node.home_of(lane).lane(lane).digest());
  }
  return digests;
}

void check_same(const std::vector<Bytes>& one, const std::vector<Bytes>& other) {
  REQUIRE(one.size() == other.size());
  for (std::size_t lane = 0; lane < one.size(); ++lane) {
    INFO("lane " << lane);
    CHECK((one[lane] == other[lane]));  // In brackets: digests say nothing to people.
  }
}

// A log of several processes, the last of which is still there and holds still.
void keep_busy(LaneLoad& load) {
  load.start();
  load.run(steps);
  load.hold();
  load.crash_by_lanes();  // Nothing is on its way: all of it is on disk.
  load.start();
  load.run(steps);
  load.hold();
}

std::vector<std::size_t> kinds_of(const std::vector<Bytes>& log) {
  std::vector<std::size_t> kinds(std::variant_size_v<Body>);
  for (const Bytes& record : log) ++kinds[decoded(record).body.index()];
  return kinds;
}

}  // namespace

TEST_CASE("A busy node commits records of every kind", "[laws]") {
  std::vector<std::size_t> kinds(std::variant_size_v<Body>);
  for (const std::uint16_t shards : {std::uint16_t{1}, std::uint16_t{2}}) {
    LaneLoad load{shards, shards};
    keep_busy(load);
    const auto some = kinds_of(load.log());
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) kinds[kind] += some[kind];
  }
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    INFO("kind " << kind << " of storage::Body");
    CHECK(kinds[kind] > 0);
  }
}

TEST_CASE("A lane copied record by record into an empty store gives the same state", "[laws]") {
  const auto shards = GENERATE(std::uint16_t{1}, std::uint16_t{2});
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{5}));
  CAPTURE(shards, seed);
  LaneLoad load{seed, shards};
  keep_busy(load);
  StateCopy states;
  StoreCopy copy;
  for (const Bytes& record : load.log()) {
    states.apply(record);
    copy.write(record);
  }
  const ReadBack read = read_back(copy.store());
  CHECK(read.recovered.unreadable == 0);
  CHECK(read.recovered.gaps == 0);
  const auto leader = digests_of(load.node());
  check_same(leader, states.digests());
  check_same(leader, read.digests());

  CHECK((rows_of_lanes(copy.store()) == rows_of_lanes(load.disk())));
  CHECK((journal_of_lanes(copy.store()) == journal_of_lanes(load.disk())));
}

TEST_CASE("A record applied twice changes nothing", "[laws]") {
  const auto seed = GENERATE(range(std::uint64_t{11}, std::uint64_t{14}));
  CAPTURE(seed);
  LaneLoad load{seed, 2};
  keep_busy(load);
  StateCopy once, twice;
  for (const Bytes& record : load.log()) {
    once.apply(record);
    twice.apply(record);
    twice.apply(record);
  }
  check_same(once.digests(), twice.digests());

  // What comes again much later: all of it, and beginnings of it, of this term and of earlier ones.
  Rng rng{seed};
  for (int round = 0; round < 4; ++round) {
    const std::size_t end = round == 0 ? load.log().size() : rng.below(load.log().size());
    for (std::size_t at = 0; at < end; ++at) twice.apply(load.log()[at]);
    check_same(once.digests(), twice.digests());
  }
}

// A store cannot tell an old record from a new one: whoever writes it begins somewhere before the
// end of what is there and goes on to the end. From wherever, the rows are the same. A message that
// comes again is once more in the journal, under a number of its own, and counts once.
TEST_CASE("Records written again up to the last one leave the same store", "[laws]") {
  const auto seed = GENERATE(range(std::uint64_t{21}, std::uint64_t{24}));
  CAPTURE(seed);
  LaneLoad load{seed, 2};
  keep_busy(load);
  StoreCopy once, twice;
  for (const Bytes& record : load.log()) {
    once.write(record);
    twice.write(record);
    twice.write(record);
  }
  const auto rows = rows_of_lanes(once.store());
  const auto journal = journal_of_lanes(once.store());
  const auto states = read_back(once.store()).digests();
  Rng rng{seed};
  for (int round = 0; round < 4; ++round) {
    INFO("round " << round);
    CHECK((rows_of_lanes(twice.store()) == rows));
    CHECK((journal_of_lanes(twice.store()) == journal));
    const ReadBack read = read_back(twice.store());
    CHECK(read.recovered.unreadable == 0);
    CHECK(read.recovered.gaps == 0);
    check_same(states, read.digests());
    const std::size_t from = rng.below(load.log().size());
    for (std::size_t at = from; at < load.log().size(); ++at) twice.write(load.log()[at]);
  }
}

}  // namespace naru::test

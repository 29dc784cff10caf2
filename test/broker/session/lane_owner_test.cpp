// test/broker/session/lane_owner_test.cpp
//
// Goal: a session belongs to one identity, and one that has had no connection yet to the first
// that connects. Method: the lanes of one shard out of two; a session as a start finds it, then
// connections of several identities.

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker {
namespace {

using Answer = hop::AttachResult;

class Bench : public test::HalfShard {
 public:
  // A session as a start finds it.
  void found(Bytes identity, std::uint64_t epoch) {
    storage::SessionRow row;
    row.number = 77;
    row.expiry_s = 1000;
    row.identity = std::move(identity);
    row.epoch = epoch;
    core.lanes().lane(lane).load_client(client_id, row);
    core.start();
    core.end_turn();
  }
  hop::Attached attach(const Bytes& identity, bool clean_start = false) {
    hop::Attach attach;
    attach.connection = std::uint64_t{1} << 48 | ++connections;
    attach.client_id = client_id;
    attach.identity = identity;
    attach.clean_start = clean_start;
    attach.expiry_s = 1000;
    attach.receive_maximum = 10;
    take(attach);
    commit();
    const auto answers = told<hop::Attached>();
    REQUIRE(answers.size() == 1);
    return answers.front();
  }
  // The newest connection, when it is there.
  void detach() {
    take(hop::Detach{std::uint64_t{1} << 48 | connections, client_id, true, 0, {}});
    commit();
  }
  const storage::SessionRow& row() { return core.lanes().lane(lane).find_client(client_id)->row; }

  const Bytes client_id = test::client_of_shard(0, "car");
  const LaneId lane = cluster::lane_of(client_id);
  std::uint64_t connections = 0;
};

}  // namespace

TEST_CASE("A session without an owner is taken by who connects first", "[session]") {
  const Bytes owner = GENERATE(values<Bytes>({"bob", ""}));
  const bool clean_start = GENERATE(false, true);
  CAPTURE(owner, clean_start);
  Bench bench;
  bench.found("", 0);
  const hop::Attached first = bench.attach(owner, clean_start);
  CHECK(first.result == Answer::accepted);
  CHECK(first.session_present != clean_start);
  CHECK(bench.row().identity == owner);
  CHECK(bench.row().epoch != 0);
  bench.detach();
  CHECK(bench.attach("eve").result == Answer::wrong_identity);
  const hop::Attached again = bench.attach(owner);
  CHECK(again.result == Answer::accepted);
  CHECK(again.session_present);
}

TEST_CASE("A session without an owner stays so when its first connection finds no room",
          "[session]") {
  Bench bench;
  bench.found("", 0);
  hop::Attach attach;
  attach.connection = std::uint64_t{1} << 48 | 9;
  attach.client_id = bench.client_id;
  attach.identity = "eve";
  attach.expiry_s = 1000;
  attach.receive_maximum = 10;
  bench.take(attach);
  bench.commit(Errc::no_space);
  bench.told<hop::Attached>();
  CHECK(bench.attach("bob").session_present);
  CHECK(bench.row().identity == "bob");
}

TEST_CASE("A session that anonymous clients have had is no user's", "[session]") {
  Bench bench;
  bench.found("", 5);
  CHECK(bench.attach("bob").result == Answer::wrong_identity);
  CHECK(bench.attach("").session_present);
}

}  // namespace naru::broker

// test/tools/mosquitto_rows_test.cpp
//
// Goal: sessions of clients and of bridges come along with what is on its way, belong to nobody
// yet, and all that stays behind is counted under its reason. Method: what a mosquitto.db holds, by
// hand; the rows it becomes are read back, and all together as a start reads them.

#include <map>

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"
#include "storage/kv/mem_kv.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/schema.hpp"
#include "tools/naru/mosquitto_import.hpp"
#include "tools/naru/store_check.hpp"

namespace naru::tools {
namespace {

using namespace storage;  // NOLINT: rows and families.

constexpr std::uint32_t forever = 0xffffffff;
constexpr WallMillis now = 1'700'000'000'000;
constexpr std::int64_t a_while_ago = now / 1000 - 10;

struct Bench {
  void client(BytesView id, std::uint32_t expiry_s, std::int64_t expires_at = 0) {
    db.clients.push_back({id, expires_at, expiry_s});
  }
  void subscription(BytesView client, BytesView filter, std::uint8_t options = 0) {
    db.subscriptions.push_back({client, filter, 0, 1, options});
  }
  std::uint64_t message(BytesView topic, std::int64_t expires_at = 0) {
    MosquittoMessage made;
    made.id = db.messages.size() + 1;
    made.topic = topic;
    made.payload = "x";
    made.qos = 2;
    made.expires_at = expires_at;
    db.by_id[made.id] = db.messages.size();
    db.messages.push_back(made);
    return made.id;
  }
  void place(BytesView client, std::uint16_t packet_id, std::uint8_t qos, MosquittoState state,
             std::int64_t expires_at = 0) {
    MosquittoPlace made;
    made.message = message("t", expires_at);
    made.client = client;
    made.packet_id = packet_id;
    made.qos = qos;
    made.state = state;
    db.places.push_back(made);
  }
  void take_over() {
    const auto done = import_rows(db, store, {now, 7}, {});
    REQUIRE(done.has_value());
    counts = *done;
    const auto found = check_rows(store);
    REQUIRE(found.has_value());
    CHECK(found->missing == 0);
    CHECK(found->unreadable == 0);
    CHECK(found->sessions == counts.sessions);
    CHECK(found->queued == counts.queued);
  }
  // Reasons and counts, where there is something.
  std::map<std::string, std::uint64_t> left() const {
    std::map<std::string, std::uint64_t> found;
    for (std::size_t i = 0; i < left_rows.size(); ++i) {
      if (counts.left[i] != 0) found[left_rows[i].name] = counts.left[i];
    }
    return found;
  }
  SessionRow session(BytesView id) const {
    SessionRow row;
    const auto value = store.get(Family::session, session_key(cluster::lane_of(id), id));
    REQUIRE((value.has_value() && value->has_value()));
    REQUIRE(decode_row(**value, row));
    return row;
  }
  CursorRow cursor(BytesView id) const {
    CursorRow row;
    const Bytes key = cursor_key(cluster::lane_of(id), session(id).number);
    const auto value = store.get(Family::cursor, key);
    REQUIRE((value.has_value() && value->has_value()));
    REQUIRE(decode_row(**value, row));
    return row;
  }

  MosquittoDb db;
  MemKv store;
  ImportCounts counts;
};

using Reasons = std::map<std::string, std::uint64_t>;
using Numbers = std::vector<std::uint64_t>;
using State = MosquittoState;

}  // namespace

TEST_CASE("An imported session belongs to nobody yet", "[import]") {
  Bench bench;
  bench.client("car", forever);
  bench.take_over();
  const SessionRow row = bench.session("car");
  CHECK(row.identity.empty());
  CHECK(row.epoch == 0);
  CHECK(row.number != 0);
  CHECK(bench.left().empty());
}

TEST_CASE("A gap in what is on its way is no missing message", "[import]") {
  Bench bench;
  bench.client("car", forever);
  bench.place("car", 2, 2, State::pubcomp);
  bench.place("car", 4, 1, State::puback);
  bench.place("car", 5, 1, State::queued);
  bench.take_over();
  CHECK(bench.counts.queued == 3);
  const CursorRow cursor = bench.cursor("car");
  CHECK(cursor.acked_through == 0);
  CHECK(cursor.released == Numbers{1});
  CHECK(cursor.done == Numbers{2});
  CHECK(cursor.sent_through == 3);
}

TEST_CASE("A bridge's session comes along and is kept like narud's own", "[import]") {
  Bench bench;
  bench.client("local.house7", 0);
  bench.client("uplink", 0);
  bench.subscription("uplink", "up/#", 0x0c);
  bench.subscription("uplink", "more/#", 0x0c);
  bench.client("ends", 0);
  bench.subscription("ends", "up/#", 0x0c);
  bench.subscription("ends", "own", 0);
  bench.client("car", 600);
  bench.subscription("car", "up/#", 0x0c);
  bench.place("uplink", 1, 1, State::queued);
  bench.place("ends", 1, 1, State::queued);
  bench.take_over();
  CHECK(bench.counts.sessions == 3);
  CHECK(bench.counts.bridges == 2);
  CHECK(bench.counts.queued == 1);
  CHECK(bench.session("local.house7").expiry_s == forever);
  CHECK(bench.session("uplink").expiry_s == forever);
  CHECK(bench.session("car").expiry_s == 600);
  const auto kept = read_bridges(bench.store);
  REQUIRE(kept.has_value());
  CHECK(kept->bridges.size() == 2);
  CHECK(bench.left() ==
        Reasons{{"ending_sessions", 1}, {"subscriptions", 2}, {"queued_messages", 1}});
}

TEST_CASE("What stays behind is counted under its reason", "[import]") {
  Bench bench;
  bench.client("over", 10, a_while_ago);
  bench.client("car", forever);
  bench.subscription("over", "a");
  bench.subscription("car", "$share/g/a");
  bench.place("over", 1, 1, State::queued);
  bench.place("nobody", 1, 1, State::queued);
  bench.place("car", 0, 0, State::queued);
  bench.place("car", 8, 2, State::queued, a_while_ago);
  bench.db.retained = {bench.message("kept", a_while_ago), bench.message("$SYS/broker/uptime")};
  bench.take_over();
  CHECK(bench.left() == Reasons{{"expired_sessions", 1},
                                {"subscriptions", 1},
                                {"shared_subscriptions", 1},
                                {"queued_messages", 2},
                                {"expired_messages", 2},
                                {"qos0_messages", 1},
                                {"sys_messages", 1}});
}

TEST_CASE("QoS 2 whose delivery has begun does not expire", "[import]") {
  Bench bench;
  bench.client("car", forever);
  bench.place("car", 1, 2, State::pubcomp, a_while_ago);
  bench.place("car", 2, 1, State::puback, a_while_ago);
  bench.place("car", 3, 2, State::pubrec, a_while_ago);
  bench.take_over();
  CHECK(bench.counts.queued == 2);
  CHECK(bench.left() == Reasons{{"expired_messages", 1}});
}

}  // namespace naru::tools

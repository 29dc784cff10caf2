// test/tools/store_dump_test.cpp
//
// Goal: every row of a store is shown with what it means, and one that cannot be read is shown as
// it is. Method: rows written by the schema into a MemKv.

#include "tools/naru/store_dump.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "storage/kv/mem_kv.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/retained.hpp"
#include "storage/tables/schema.hpp"

namespace naru::tools {
namespace {

using storage::Family;

storage::MessageRef message(BytesView sender, BytesView topic, BytesView payload) {
  storage::MessageView view;
  view.sender = sender;
  view.topic = topic;
  view.payload = payload;
  view.qos = 1;
  return storage::Message::make(view);
}

// Lane 7: a session of car1 with a filter and a cursor; a retained message of car2; a broken row.
struct Store {
  Store() {
    storage::Batch rows;
    storage::SessionRow session;
    session.number = 99;
    session.identity = "fleet";
    rows.put(Family::session, storage::session_key(7, "car1"), storage::encode_row(session));
    rows.put(Family::session, storage::filter_key(7, 99, "a/+"), Bytes{"\x01\x01\x00", 3});
    storage::CursorRow cursor;
    cursor.acked_through = 5;
    rows.put(Family::cursor, storage::cursor_key(7, 99), storage::encode_row(cursor));
    rows.put(Family::cursor, storage::cursor_key(8, 100), storage::encode_row(cursor));
    storage::write_retained(rows, "a/b", 3, message("car2", "a/b", "\xff\xfe"));
    rows.put(Family::ledger, "broken", "\x09");
    rows.put(Family::meta, storage::node_key, storage::encode_row(storage::NodeRow{1, 1, 2}));
    REQUIRE(kv.commit(rows, storage::Durability::synced).has_value());
  }

  std::vector<Json> dump(const DumpChoice& choice) const {
    std::vector<Json> shown;
    const auto done = dump_rows(kv, choice, [&](const Json& row) {
      shown.push_back(row);
      return true;
    });
    REQUIRE(done.has_value());
    return shown;
  }

  storage::MemKv kv;
};

std::vector<std::string> kinds(const std::vector<Json>& rows) {
  std::vector<std::string> all;
  for (const Json& row : rows) {
    all.push_back(row["family"].get<std::string>() + " " + member_cell(row, "kind"));
  }
  return all;
}

}  // namespace

TEST_CASE("A dump shows every row with what it means", "[store_dump]") {
  const Store store;
  const std::vector<Json> rows = store.dump({});
  CHECK(kinds(rows) == std::vector<std::string>{"session filter", "session session",
                                                "cursor cursor", "cursor cursor",
                                                "retained retained", "ledger -", "meta node"});
  CHECK(rows[0]["client_id"] == "car1");
  CHECK(rows[0]["filter"] == "a/+");
  CHECK(rows[0]["qos"] == 1);
  CHECK(rows[1]["user"] == "fleet");
  CHECK(rows[2]["client_id"] == "car1");
  CHECK(rows[2]["acknowledged_through"] == 5);
  CHECK(rows[3]["client_id"].is_null());  // Nobody has that session.
  CHECK(rows[4]["message"]["sender"] == "car2");
  CHECK(rows[4]["message"]["payload"]["base64"] == "//4=");
  CHECK(rows[5]["unreadable"] == true);
  CHECK(rows[5]["value"]["base64"] == "CQ==");
  CHECK(rows[6]["incarnation"] == 2);
}

TEST_CASE("A dump shows one family, lane or client alone", "[store_dump]") {
  const Store store;
  CHECK(kinds(store.dump({.family = "cursor", .lane = {}, .client_id = {}})).size() == 2);
  CHECK(kinds(store.dump({.family = {}, .lane = 8, .client_id = {}})) ==
        std::vector<std::string>{"cursor cursor"});
  CHECK(kinds(store.dump({.family = {}, .lane = {}, .client_id = "car1"})) ==
        std::vector<std::string>{"session filter", "session session", "cursor cursor"});
  CHECK(kinds(store.dump({.family = {}, .lane = {}, .client_id = "car2"})) ==
        std::vector<std::string>{"retained retained"});
}

TEST_CASE("A dump knows the names of families, and ends when nobody reads on", "[store_dump]") {
  const Store store;
  int shown = 0;
  const auto refused = dump_rows(store.kv, {.family = "nonsense", .lane = {}, .client_id = {}},
                                 [](const Json&) { return true; });
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::invalid);
  CHECK(refused.error().text.find("journal, session, cursor") != std::string::npos);
  REQUIRE(dump_rows(store.kv, {}, [&](const Json&) { return ++shown < 2; }).has_value());
  CHECK(shown == 2);
}

}  // namespace naru::tools

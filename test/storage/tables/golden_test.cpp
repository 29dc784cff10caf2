// test/storage/tables/golden_test.cpp
//
// Goal: what one release writes every later release reads, to the byte. Method: golden.txt holds
// the bytes of a sample of every record, row, key, journal entry and message; they are made again
// and compared, read back and compared, then cut and lengthened.
//
// To add a line: run the test; it prints those that are missing. Lines never change.

#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <set>

#include <catch2/catch.hpp>

#include "storage/kv/commit_batch.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/retained.hpp"
#include "storage/tables/schema.hpp"
#include "test/storage/tables/samples.hpp"
#include "test/support/exact_buffer.hpp"
#include "test/support/golden.hpp"
#include "test/support/hex.hpp"

namespace naru::storage {
namespace {

using test::ExactBuffer, test::from_hex, test::to_hex;

test::Golden& golden() {
  static test::Golden file{NARU_GOLDEN_FILE};
  return file;
}

void compare(const std::string& name, BytesView bytes) { golden().compare(name, bytes); }

// Exactly these bytes decode, to what encodes to them again; no prefix does, nor one byte more.
template <class Value, class Decode, class Encode>
void check_exact(BytesView bytes, Decode&& decode, Encode&& encode) {
  Value value;
  REQUIRE(decode(ExactBuffer{bytes}.view(), value));
  CHECK(to_hex(encode(value)) == to_hex(bytes));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    Value ignored;
    INFO("the first " << n << " bytes");
    CHECK_FALSE(decode(ExactBuffer{bytes.substr(0, n)}.view(), ignored));
  }
  Value ignored;
  CHECK_FALSE(decode(Bytes{bytes} + '\0', ignored));
}

template <class Row>
void compare_row(const std::string& name, const Row& row) {
  const Bytes bytes = encode_row(row);
  compare(name, bytes);
  check_exact<Row>(
      bytes, [](BytesView in, Row& out) { return decode_row(in, out); },
      [](const Row& out) { return encode_row(out); });
}

// The functions that make keys of lanes, as the header declares them.
std::set<std::string> declared_keys() {
  std::ifstream file{NARU_SCHEMA_HEADER};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const std::regex declaration{"Bytes (\\w+)\\(std::uint16_t lane"};
  std::set<std::string> names;
  for (std::sregex_iterator at{text.begin(), text.end(), declaration}, end; at != end; ++at) {
    names.insert((*at)[1]);
  }
  REQUIRE_FALSE(names.empty());
  return names;
}

const char* name_of(Batch::Op op) {
  static constexpr const char* names[] = {"put", "put_numbered", "erase", "erase_range"};
  return names[static_cast<std::size_t>(op)];
}
const char* name_of(Family family) {
  static constexpr const char* names[] = {"journal",  "session", "cursor", "inbound",
                                          "retained", "ledger",  "stream", "meta"};
  return names[static_cast<std::size_t>(family)];
}

}  // namespace

TEST_CASE("Every record has its golden bytes", "[golden]") {
  const auto records = test::sample_records();
  REQUIRE(records.size() == std::variant_size_v<Body>);
  for (std::size_t tag = 0; tag < records.size(); ++tag) {
    INFO(records[tag].name);
    REQUIRE(records[tag].record.body.index() == tag);
    const Bytes bytes = encode_record(records[tag].record);
    compare("record " + records[tag].name, bytes);
    check_exact<Record>(bytes, decode_record, encode_record);
  }
  Bytes unknown = encode_record(records[0].record);
  unknown[0] = 2;  // A later version.
  Record ignored;
  CHECK_FALSE(decode_record(unknown, ignored));
}

TEST_CASE("Every record writes its golden rows", "[golden]") {
  std::set<Family> written{Family::journal, Family::retained, Family::meta};  // Compared below.
  for (const auto& [name, record] : test::sample_records()) {
    CommitUnit unit;
    write_record(record, unit);
    std::size_t n = 0;
    unit.rows.each([&, record_name = name](const Batch::Change& change) {
      written.insert(change.family);
      const std::string row = "row " + record_name + ' ' + std::to_string(++n) + ' ' +
                              name_of(change.op) + ' ' + name_of(change.family);
      compare(row + " key", change.key);
      if (!change.value.empty()) compare(row + " value", change.value);
    });
    if (!unit.parts.empty()) compare("part " + name, unit.parts);
    CHECK(unit.message.operator bool() == !unit.parts.empty());
    JournalPart part;
    CHECK((unit.parts.empty() || decode_fields(BytesView{unit.parts}, part)));
  }
  CHECK(written.size() == family_count);
}

// What the first samples leave out: the other kind of a message that the broker owes, and a place
// in a queue whose origin nobody remembers.
TEST_CASE("Every kind of part and outbox has its golden bytes", "[golden]") {
  const auto records = test::sample_records();
  Record enqueued = records[4].record;
  std::get<Enqueued>(enqueued.body).once = false;
  Record received = records[6].record;
  std::get<OutboxPut>(received.body).row = {OutboxKind::inbound, "car-7", 0x10000000002, 513,
                                            false};
  compare("record enqueued without once", encode_record(enqueued));
  compare("record outbox_put inbound", encode_record(received));
  CommitUnit unit;
  write_record(enqueued, unit);
  compare("part enqueued without once", unit.parts);
}

TEST_CASE("What is stored as a number keeps its number", "[golden]") {
  // The last of each list, so that one more in between is noticed.
  static_assert(static_cast<int>(CommandState::queued) == 0);
  static_assert(static_cast<int>(CommandState::succeeded) == 5);
  static_assert(static_cast<int>(CommandState::superseded) == 10);
  static_assert(static_cast<int>(OutboxKind::inbound) == 0);
  static_assert(static_cast<int>(OutboxKind::will) == 1);
  static_assert(static_cast<int>(OutboxKind::delayed) == 2);
  static_assert(static_cast<int>(PartKind::enqueued) == 0);
  static_assert(static_cast<int>(PartKind::enqueued_once) == 1);
  static_assert(static_cast<int>(PartKind::outbox) == 2);
}

TEST_CASE("Every key has its golden bytes", "[golden]") {
  const std::uint64_t number = 0x0102030405060708;
  struct Key {
    const char* function;  // Of storage/tables/schema.hpp.
    const char* name;
    Bytes bytes;
  };
  const Key keys[] = {
      {"lane_prefix", "key lane", lane_prefix(0x1f)},
      {"session_key", "key session", session_key(0x1f, "car")},
      {"filter_prefix", "key filters", filter_prefix(0x1f, number)},
      {"filter_key", "key filter", filter_key(0x1f, number, "a/#")},
      {"cursor_key", "key cursor", cursor_key(0x1f, number)},
      {"outbox_key", "key outbox", outbox_key(0x1f, number)},
      {"ledger_key", "key command", ledger_key(0x1f, "car", "c1")},
      {"stream_prefix", "key stream", stream_prefix(0x1f, "tele")},
      {"stream_key", "key stream record", stream_key(0x1f, "tele", number)},
      {"stream_mark_key", "key stream mark", stream_mark_key(0x1f, "tele")},
      {"consumer_key", "key consumer", consumer_key(0x1f, "tele", "me")},
  };
  std::set<std::string> compared;
  for (const Key& key : keys) {
    compare(key.name, key.bytes);
    compared.insert(key.function);
  }
  CHECK(compared == declared_keys());
  compare("key journal", journal_key(number));
  compare("key node", node_key);
  compare("key time", time_key);
  CHECK(journal_number(journal_key(number)) == number);
  CHECK(end_of_prefix(Bytes{"a\xff\xff"}) == "b");
  CHECK(end_of_prefix(Bytes{"\xff\xff"}).empty());
}

TEST_CASE("Every row has its golden bytes and is read back", "[golden]") {
  const auto records = test::sample_records();
  compare_row("value session", test::sample_session());
  compare_row("value session without will", SessionRow{});
  compare_row("value cursor", std::get<CursorPut>(records[5].record.body).cursor);
  compare_row("value outbox", std::get<OutboxPut>(records[6].record.body).row);
  compare_row("value command", test::sample_command());
  compare_row("value stream record", std::get<StreamAppended>(records[12].record.body).row);
  compare_row("value stream mark", std::get<StreamMarked>(records[14].record.body));
  compare_row("value node", NodeRow{0x0102030405060708, 1, 4});
  compare_row("value time", TimeRow{5'000, 1'700'000'000'000});
  compare_row("value bridges", BridgesRow{{{"house", "local.house7"}}});
}

TEST_CASE("The row of an outbox says whether it waits for a time", "[golden]") {
  const auto records = test::sample_records();
  const OutboxRow plain = std::get<OutboxPut>(records[6].record.body).row;
  const OutboxRow delayed = std::get<DelayedPut>(records[16].record.body).row;
  CHECK(to_hex(encode_outbox(plain)) == to_hex(encode_row(plain)));
  compare("value outbox delayed", encode_outbox(delayed));
  for (const OutboxRow& row : {plain, delayed}) {
    check_exact<OutboxRow>(encode_outbox(row), decode_outbox, encode_outbox);
  }
  // Neither version stands for the other's kind.
  OutboxRow ignored;
  CHECK_FALSE(decode_outbox(encode_row(delayed), ignored));
  Bytes misnamed = encode_outbox(delayed);
  misnamed[1] = static_cast<char>(OutboxKind::will);
  CHECK_FALSE(decode_outbox(misnamed, ignored));
}

TEST_CASE("A message has its golden bytes; its payload ends where they end", "[golden]") {
  const MessageRef message = Message::make(test::sample_view());
  const Bytes bytes{message->encoded()};
  compare("message", bytes);
  const MessageRef read = Message::decode(bytes);
  REQUIRE(read);
  Bytes again;
  encode_message(read->view(), again);
  CHECK(again == bytes);
  const std::size_t head = bytes.size() - read->view().payload.size();
  for (std::size_t n = 0; n < head; ++n) CHECK_FALSE(Message::decode(bytes.substr(0, n)));
  CHECK(Message::decode(bytes.substr(0, head))->view().payload.empty());
  CHECK(Message::decode(bytes + 'x')->view().payload == "hix");
  for (const char flags : {'\x03', '\x08', '\x07'}) {
    Bytes bad = bytes;
    bad[1] = flags;
    CHECK_FALSE(Message::decode(bad));
  }
}

TEST_CASE("A retained message has its golden bytes", "[golden]") {
  Batch rows;
  write_retained(rows, "a/b", 0x30000000005, Message::make(test::sample_view()));
  rows.each([](const Batch::Change& change) {
    compare("retained key", change.key);
    compare("retained value", change.value);
    const RetainedRow row = read_retained(change.value);
    CHECK(row.version == 0x30000000005);
    REQUIRE(row.message);
    CHECK(row.message->view().payload == "hi");
    for (std::size_t n = 0; n < change.value.size() - 2; ++n) {
      CHECK_FALSE(read_retained(change.value.substr(0, n)).message);
    }
  });
}

// A part may end the entry: a prefix that ends with a part is an entry with fewer parts, which is
// why the store keeps entries whole.
TEST_CASE("A journal entry has its golden bytes", "[golden]") {
  CommitUnit first, second;
  for (const auto& [name, record] : test::sample_records()) {
    if (name == "enqueued") write_record(record, first);
    if (name == "outbox_put") write_record(record, second);
  }
  second.message = first.message;
  CommitBatch batch;
  batch.add(first, 0);
  batch.add(second, 0);
  Bytes entry;
  batch.encode(9).each([&](const Batch::Change& change) {
    if (change.family == Family::journal) {
      compare("journal entry key", change.key);
      entry = Bytes{change.value};
    } else {
      compare("journal entry outbox row", change.value);
    }
  });
  compare("journal entry", entry);
  CHECK(to_hex(journal_message(entry)) == to_hex(*first.message));
  const std::size_t one = entry.size() - second.parts.size();
  const std::size_t none = one - first.parts.size();
  for (std::size_t n = 0; n <= entry.size(); ++n) {
    JournalEntry read;
    INFO("the first " << n << " bytes");
    const bool whole = n == none || n == one || n == entry.size();
    CHECK(decode_journal_entry(ExactBuffer{BytesView{entry}.substr(0, n)}.view(), read) == whole);
  }
  JournalEntry read;
  CHECK_FALSE(decode_journal_entry(entry + '\0', read));
  REQUIRE(decode_journal_entry(entry, read));
  REQUIRE(read.parts.size() == 2);
  CHECK(read.parts[0].kind == PartKind::enqueued_once);
  CHECK(read.parts[0].references.size() == 2);
  CHECK(read.parts[1].kind == PartKind::outbox);
  Bytes parts;
  for (const JournalPart& part : read.parts) encode_fields(part, parts);
  CHECK(parts == first.parts + second.parts);
}

TEST_CASE("No golden line is left over", "[golden]") {
  CHECK(golden().left_over() == std::vector<std::string>{});
}

}  // namespace naru::storage

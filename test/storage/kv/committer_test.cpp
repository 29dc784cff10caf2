// test/storage/kv/committer_test.cpp
//
// Goal: every unit gets one truthful outcome, in order, and what it wrote is what its header says.
// Method: a dialogue with the commit thread over a FaultKv. A "gate" source holds the thread in
// its Done until released, so that the test decides what shares a batch; no test waits for time.

#include "storage/kv/committer.hpp"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>

#include "storage/base/byte_writer.hpp"
#include "storage/kv/fault_kv.hpp"

namespace naru::storage {
namespace {

using namespace std::string_literals;

constexpr Duration never = std::chrono::hours{1};
constexpr auto deadline = std::chrono::seconds{20};

// What came back for one source.
class Inbox {
 public:
  Committer::Done done() {
    return [this](std::vector<CommitOutcome>&& outcomes) {
      const std::lock_guard lock{mutex_};
      all_.insert(all_.end(), outcomes.begin(), outcomes.end());
      arrived_.notify_all();
    };
  }
  // The outcomes so far, once there are n.
  std::vector<CommitOutcome> await(std::size_t n) {
    std::unique_lock lock{mutex_};
    REQUIRE(arrived_.wait_for(lock, deadline, [&] { return all_.size() >= n; }));
    return all_;
  }
  std::size_t count() {
    const std::lock_guard lock{mutex_};
    return all_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<CommitOutcome> all_;
};

class Gate {
 public:
  Committer::Done done() {
    return [this](std::vector<CommitOutcome>&&) {
      std::unique_lock lock{mutex_};
      closed_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !closed_; });
    };
  }
  // The commit thread stands still from here on. Uses up one unit without rows.
  void close(Committer& committer, std::size_t source) {
    committer.submit(source, std::vector<CommitUnit>(1));
    std::unique_lock lock{mutex_};
    REQUIRE(changed_.wait_for(lock, deadline, [this] { return closed_; }));
  }
  void open() {
    const std::lock_guard lock{mutex_};
    closed_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
};

struct Bench {
  explicit Bench(Committer::Options options = {}, std::uint64_t first = 1)
      : committer(store, options, first),
        gate_source(committer.add_source(gate.done())),
        a(committer.add_source(from_a.done())),
        b(committer.add_source(from_b.done())) {
    committer.start();
  }
  ~Bench() { gate.open(); }

  void close_gate() { gate.close(committer, gate_source); }

  FaultKv store;
  Gate gate;
  Inbox from_a;
  Inbox from_b;
  Committer committer;  // Stops before what its Done refers to goes away.
  std::size_t gate_source;
  std::size_t a;
  std::size_t b;
};

SharedBytes message(Bytes text) { return std::make_shared<const Bytes>(std::move(text)); }

Bytes number_key(std::uint64_t number) {
  Bytes key;
  ByteWriter{key}.u64(number);
  return key;
}

CommitUnit unit(std::uint64_t ticket, SharedBytes text = nullptr, Bytes parts = {}) {
  CommitUnit made;
  made.ticket = ticket;
  made.message = std::move(text);
  made.parts = std::move(parts);
  return made;
}

CommitUnit row_unit(std::uint64_t ticket, BytesView key, BytesView value) {
  CommitUnit made = unit(ticket);
  made.rows.put(Family::meta, key, value);
  return made;
}

std::vector<CommitUnit> list(CommitUnit one) {
  std::vector<CommitUnit> units;
  units.push_back(std::move(one));
  return units;
}

std::vector<CommitUnit> many(std::size_t n) {
  std::vector<CommitUnit> units;
  for (std::size_t ticket = 1; ticket <= n; ++ticket) units.push_back(unit(ticket));
  return units;
}

std::vector<std::uint64_t> tickets(const std::vector<CommitOutcome>& outcomes) {
  std::vector<std::uint64_t> all;
  for (const auto& outcome : outcomes) all.push_back(outcome.ticket);
  return all;
}

std::vector<std::uint64_t> one_to(std::size_t n) {
  std::vector<std::uint64_t> all(n);
  std::iota(all.begin(), all.end(), std::uint64_t{1});
  return all;
}

}  // namespace

TEST_CASE("Committer writes a message once for all units of a batch that share it", "[committer]") {
  Bench bench{{}, 0x0102030405060708};
  bench.close_gate();
  const auto shared = message("hello");
  bench.committer.submit(bench.a, list(unit(1, shared, "A")));
  bench.committer.submit(bench.b, list(unit(7, shared, "B")));
  bench.committer.submit(bench.a, list(unit(2, message("hello"), "C")));  // Another object.
  bench.committer.submit(bench.b, list(unit(8, shared, "D")));
  bench.gate.open();

  const auto a = bench.from_a.await(2);
  const auto b = bench.from_b.await(2);
  CHECK(tickets(a) == std::vector<std::uint64_t>{1, 2});
  CHECK(tickets(b) == std::vector<std::uint64_t>{7, 8});
  CHECK(a[0].journal_number == 0x0102030405060708);
  CHECK(b[0].journal_number == 0x0102030405060708);
  CHECK(b[1].journal_number == 0x0102030405060708);
  CHECK(a[1].journal_number == 0x0102030405060709);
  const auto entry = [&](BytesView key) { return bench.store.get(Family::journal, key).value(); };
  CHECK(entry("\1\2\3\4\5\6\7\x8") == "\1\5helloABD"s);
  CHECK(entry("\1\2\3\4\5\6\7\x9") == "\1\5helloC"s);
  CHECK(bench.store.counts().commits == 2);  // The gate's and this one.
}

TEST_CASE("Committer shares no entry between batches and spends no number twice", "[committer]") {
  Bench bench;
  const auto shared = message("m");
  bench.committer.submit(bench.a, list(unit(1, shared)));
  CHECK(bench.from_a.await(1)[0].journal_number == 1);
  bench.committer.submit(bench.a, list(unit(2)));
  CHECK(bench.from_a.await(2)[1].journal_number == 0);
  bench.committer.submit(bench.a, list(unit(3, shared)));
  CHECK(bench.from_a.await(3)[2].journal_number == 2);
}

TEST_CASE("Committer writes the length of a long message as LEB128", "[committer]") {
  Bench bench;
  bench.committer.submit(bench.a, list(unit(1, message(Bytes(300, 'x')), "p")));
  bench.from_a.await(1);
  CHECK(bench.store.get(Family::journal, number_key(1)).value() ==
        "\1\xac\2"s + Bytes(300, 'x') + "p");
}

TEST_CASE("Committer fills the entry's number into numbered rows alone", "[committer]") {
  Bench bench{{}, 0x1122334455667788};
  CommitUnit one = unit(1, message("m"));
  one.rows.put(Family::inbound, "gone", "x");
  one.rows.put_numbered(Family::inbound, "n", "????????tail");
  one.rows.put_numbered(Family::inbound, "only", "????????");
  one.rows.erase(Family::inbound, "gone");
  one.rows.put(Family::cursor, "plain", "????????");
  one.rows.put(Family::cursor, "range", "");
  one.rows.erase_range(Family::cursor, "r", "s");
  bench.committer.submit(bench.a, list(std::move(one)));
  bench.from_a.await(1);
  const auto row = [&](Family family, BytesView key) {
    return bench.store.get(family, key).value();
  };
  CHECK(row(Family::inbound, "n") == "\x11\x22\x33\x44\x55\x66\x77\x88tail"s);
  CHECK(row(Family::inbound, "only") == "\x11\x22\x33\x44\x55\x66\x77\x88"s);
  CHECK_FALSE(row(Family::inbound, "gone").has_value());
  CHECK(row(Family::cursor, "plain") == "????????"s);
  CHECK_FALSE(row(Family::cursor, "range").has_value());
}

TEST_CASE("Committer keeps the order of each source whatever the batches", "[committer]") {
  Committer::Options options;
  options.batch_bytes_max = GENERATE(1u, 300u, 1u << 20);
  options.single_unit_batches = GENERATE(false, true);
  options.gather = options.gather_max = options.lazy_max = GENERATE(Duration{0}, Duration{100});
  std::mt19937 random{7};
  Bench bench{options};
  constexpr std::size_t units = 200;
  for (std::uint64_t ticket = 1; ticket <= units;) {
    std::vector<CommitUnit> some;
    for (auto n = 1 + random() % 20; n > 0 && ticket <= units; --n, ++ticket) {
      some.push_back(row_unit(ticket, "last", std::to_string(ticket)));
      some.back().urgent = random() % 3 != 0;
    }
    auto other = many(some.size());
    bench.committer.submit(bench.a, std::move(some));
    bench.committer.submit(bench.b, std::move(other));
  }
  CHECK(tickets(bench.from_a.await(units)) == one_to(units));
  bench.committer.stop();
  CHECK(bench.from_b.count() == units);
  CHECK(bench.store.get(Family::meta, "last").value() == "200"s);
  const auto stats = bench.committer.stats();
  CHECK(stats.units == 2 * units);
  CHECK(stats.commits == bench.store.counts().synced);
  if (options.single_unit_batches) CHECK(stats.commits == 2 * units);
  CHECK(stats.commit_times.count() == stats.commits);
  CHECK(stats.waits.count() == stats.commits);
  CHECK(stats.waits.sum_us >= stats.commit_times.sum_us);
  CHECK(stats.longest_commit >= stats.last_commit);
}

TEST_CASE("Committer fails a source from a full disk on until it resumes", "[committer]") {
  Bench bench;
  bench.close_gate();
  bench.store.fail_commit(1, Errc::no_space);
  bench.committer.submit(bench.a, list(unit(1, message("lost"))));
  bench.committer.submit(bench.a, list(unit(2)));
  bench.gate.open();
  const auto failed = bench.from_a.await(2);
  CHECK(failed[0].failure == Errc::no_space);
  CHECK(failed[0].journal_number == 0);
  CHECK(failed[1].failure == Errc::no_space);

  // Not resumed: fails without a try. Another source is not concerned.
  const auto tries = bench.store.counts().commits;
  bench.committer.submit(bench.a, list(row_unit(3, "overtakes", "")));
  CHECK(bench.from_a.await(3)[2].failure == Errc::no_space);
  CHECK(bench.store.counts().commits == tries);
  bench.committer.submit(bench.b, list(unit(1, message("kept"))));
  CHECK(bench.from_b.await(1)[0].journal_number == 1);  // The lost entry spent no number.

  // What was submitted before resume() fails, what comes after is tried.
  bench.close_gate();
  bench.committer.submit(bench.a, list(row_unit(4, "before", "")));
  bench.committer.resume(bench.a);
  bench.committer.submit(bench.a, list(row_unit(5, "after", "")));
  bench.gate.open();
  const auto outcomes = bench.from_a.await(5);
  CHECK(tickets(outcomes) == one_to(5));
  CHECK(outcomes[3].failure == Errc::no_space);
  CHECK_FALSE(outcomes[4].failure.has_value());
  CHECK_FALSE(bench.store.get(Family::meta, "overtakes").value().has_value());
  CHECK_FALSE(bench.store.get(Family::meta, "before").value().has_value());
  CHECK(bench.store.get(Family::meta, "after").value().has_value());
  CHECK(bench.committer.stats().failed == 2);  // Tried and refused by the store.
}

TEST_CASE("Committer lets nothing overtake the units of a failed batch", "[committer]") {
  Bench bench{{.batch_bytes_max = 100}};  // One unit of these a batch.
  bench.close_gate();
  bench.store.fail_commit(2, Errc::no_space);
  for (std::uint64_t ticket = 1; ticket <= 4; ++ticket) {
    bench.committer.submit(bench.a, list(row_unit(ticket, "k", Bytes(80, 'x'))));
  }
  bench.gate.open();
  const auto outcomes = bench.from_a.await(4);
  CHECK(tickets(outcomes) == one_to(4));
  CHECK_FALSE(outcomes[0].failure.has_value());
  for (const std::size_t n : {1u, 2u, 3u}) CHECK(outcomes[n].failure == Errc::no_space);
}

TEST_CASE("Committer leaves the store alone after any other failure", "[committer]") {
  Bench bench;
  bench.store.fail_commit(1, GENERATE(Errc::io, Errc::corrupt));
  bench.committer.submit(bench.a, list(unit(1)));
  CHECK(bench.from_a.await(1)[0].failure == Errc::io);
  bench.committer.resume(bench.a);
  bench.committer.submit(bench.a, list(unit(2)));
  bench.committer.submit(bench.b, list(unit(1)));
  CHECK(bench.from_a.await(2)[1].failure == Errc::io);
  CHECK(bench.from_b.await(1)[0].failure == Errc::io);
  CHECK(bench.store.counts().commits == 1);
}

TEST_CASE("Committer commits what was submitted before it stops", "[committer]") {
  Committer::Options options;
  options.lazy_max = options.gather = options.gather_max = never;
  Bench bench{options};
  auto units = many(3);
  for (auto& each : units) each.urgent = false;
  bench.committer.submit(bench.a, std::move(units));
  bench.committer.stop();
  CHECK(tickets(bench.from_a.await(3)) == one_to(3));
  bench.committer.submit(bench.a, many(1));  // Dropped: nobody is there any more.
  bench.committer.stop();
  CHECK(bench.from_a.count() == 3);
}

TEST_CASE("Committer lets units nobody waits for ride with an urgent one", "[committer]") {
  Bench bench{{.lazy_max = never}};
  auto lazy = many(5);
  for (auto& each : lazy) each.urgent = false;
  bench.committer.submit(bench.a, std::move(lazy));
  bench.committer.submit(bench.b, list(unit(1)));
  bench.from_a.await(5);
  bench.from_b.await(1);
  CHECK(bench.store.counts().commits == 1);
}

TEST_CASE("Committer commits units nobody waits for in the end", "[committer]") {
  Bench bench{{.lazy_max = Millis{1}}};
  auto lazy = many(1);
  lazy[0].urgent = false;
  bench.committer.submit(bench.a, std::move(lazy));
  CHECK(bench.from_a.await(1).size() == 1);
}

TEST_CASE("Committer gathers under load until the batch is full", "[committer]") {
  Committer::Options options;
  options.gather = options.gather_max = never;
  options.batch_bytes_max = 1000;
  Bench bench{options};
  bench.committer.submit(bench.a, many(20));  // A busy batch; idle so far, so it goes at once.
  bench.from_a.await(20);

  bench.committer.submit(bench.b, list(row_unit(1, "k", Bytes(400, 'x'))));
  bench.committer.submit(bench.b, list(row_unit(2, "k", Bytes(400, 'x'))));
  bench.committer.submit(bench.b, list(row_unit(3, "k", Bytes(400, 'x'))));
  bench.from_b.await(3);
  // Two fitted; then it was idle again, so that the third went without waiting.
  CHECK(bench.store.counts().commits == 3);
}

TEST_CASE("Committer gathers no longer than an urgent unit may wait", "[committer]") {
  Committer::Options options;
  options.gather = GENERATE(Duration{Millis{1}}, never);
  options.gather_max = options.gather == never ? Duration{Millis{1}} : never;
  Bench bench{options};
  bench.committer.submit(bench.a, many(20));
  bench.from_a.await(20);
  bench.committer.submit(bench.b, many(1));
  CHECK(bench.from_b.await(1).size() == 1);
}

TEST_CASE("Committer asks the store for the durability of its options", "[committer]") {
  Committer::Options options;
  options.durability = GENERATE(Durability::written, Durability::synced);
  Bench bench{options};
  bench.committer.submit(bench.a, many(1));
  bench.from_a.await(1);
  CHECK(bench.store.unsynced() == (options.durability == Durability::written ? 1 : 0));
}

TEST_CASE("Committer takes new units from within Done", "[committer]") {
  MemKv store;
  Committer committer{store, {}, 1};
  Inbox inbox;
  std::size_t source = 0;
  source = committer.add_source([&](std::vector<CommitOutcome>&& outcomes) {
    const auto last = outcomes.back().ticket;
    if (last < 5) committer.submit(source, list(unit(last + 1)));
    inbox.done()(std::move(outcomes));
  });
  committer.start();
  committer.submit(source, list(unit(1)));
  CHECK(tickets(inbox.await(5)) == one_to(5));
  committer.stop();
}

}  // namespace naru::storage

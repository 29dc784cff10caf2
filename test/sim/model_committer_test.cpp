// test/sim/model_committer_test.cpp
//
// Goal: the model fails what the real committer fails. Method: a batch finds no room, room comes
// back, and the process dies before anybody was told.

#include "test/sim/model_committer.hpp"

#include <catch2/catch.hpp>
#include <memory>

namespace naru::test {
namespace {

using storage::CommitUnit, storage::FaultKv, storage::Family;

CommitUnit row(std::uint64_t ticket, std::string_view name) {
  CommitUnit unit;
  unit.ticket = ticket;
  Bytes key(2, '\0');  // Lane 0.
  unit.rows.put(Family::session, key += name, "1");
  return unit;
}

std::size_t rows_of(const FaultKv& disk) {
  std::size_t count = 0;
  for (const auto rows = disk.scan(Family::session, {}, {}); rows->valid(); rows->next()) ++count;
  return count;
}

TEST_CASE("nothing of a source is written behind a batch that found no room") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    FaultKv disk;
    ModelCommitter committer{disk, 1, 1, Rng{seed}};
    committer.submit(0, {row(1, "first")});
    disk.fail_commits(Errc::no_space);
    static_cast<void>(committer.step(Instant{}, Duration{1}));  // Written, and not told yet.
    disk.heal();
    committer.submit(0, {row(2, "second")});
    CHECK(committer.crash_by_lanes().empty());
    CHECK(rows_of(disk) == 0);
  }
}

TEST_CASE("what was written goes on to be written when there is room") {
  std::size_t kept = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    FaultKv disk;
    ModelCommitter committer{disk, 1, 1, Rng{seed}};
    committer.submit(0, {row(1, "first")});
    static_cast<void>(committer.step(Instant{}, Duration{1}));
    committer.submit(0, {row(2, "second")});
    const auto told = committer.crash_by_lanes();
    CHECK(told.contains({0, 1, 0}));
    CHECK(rows_of(disk) == told.size());
    kept += told.size();
  }
  CHECK(kept > 40);
}

}  // namespace
}  // namespace naru::test

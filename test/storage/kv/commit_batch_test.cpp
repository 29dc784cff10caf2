// test/storage/kv/commit_batch_test.cpp
//
// Goal: a start that reads the journal forwards meets each source's units in their order, whatever
// the other sources share with it. Method: two sources with the same messages in opposite order.

#include "storage/kv/commit_batch.hpp"

#include <catch2/catch.hpp>
#include <memory>

namespace naru::storage {
namespace {

CommitUnit unit(const SharedBytes& message, Bytes parts) {
  CommitUnit made;
  made.message = message;
  made.parts = std::move(parts);
  return made;
}

}  // namespace

TEST_CASE("CommitBatch gives each source ascending entries though another order shares them",
          "[committer]") {
  const auto x = std::make_shared<const Bytes>("x");
  const auto y = std::make_shared<const Bytes>("y");
  const CommitUnit units[] = {unit(x, "1"), unit(y, "2"), unit(y, "3"), unit(x, "4")};
  CommitBatch batch;
  batch.add(units[0], 0);
  batch.add(units[1], 0);
  batch.add(units[2], 1);
  batch.add(units[3], 1);
  batch.encode(10);
  CHECK(batch.number_of(0) == 10);
  CHECK(batch.number_of(1) == 11);
  CHECK(batch.number_of(2) == 11);
  CHECK(batch.number_of(3) == 12);  // Not 10: its source has passed that entry.
  CHECK(batch.entries() == 3);
}

TEST_CASE("CommitBatch shares an entry again after it was cleared", "[committer]") {
  const auto x = std::make_shared<const Bytes>("x");
  const auto y = std::make_shared<const Bytes>("y");
  const CommitUnit of_x = unit(x, "1");
  const CommitUnit of_y = unit(y, "2");
  CommitBatch batch;
  batch.add(of_x, 0);
  batch.add(of_y, 0);
  batch.clear();
  batch.add(of_x, 0);
  batch.add(of_x, 1);
  batch.encode(1);
  CHECK(batch.number_of(1) == 1);
  CHECK(batch.entries() == 1);
}

}  // namespace naru::storage

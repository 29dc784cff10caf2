// test/storage/kv/committer_wait_test.cpp
//
// Goal: a commit that does not come back shows in the figures while it lasts. Method: a source
// that takes its outcomes only when the test lets it.

#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "storage/kv/committer.hpp"
#include "storage/kv/mem_kv.hpp"

namespace naru::storage {

TEST_CASE("Committer tells how long its oldest unit has waited", "[committer]") {
  MemKv store;
  std::promise<void> let_go;
  Committer committer{store, {}, 1};
  const std::size_t source =
      committer.add_source([&](std::vector<CommitOutcome>&&) { let_go.get_future().wait(); });
  committer.start();
  CHECK(committer.stats().oldest_wait == Duration{0});

  committer.submit(source, std::vector<CommitUnit>(1));
  while (committer.stats().oldest_wait < Millis{2}) std::this_thread::yield();
  let_go.set_value();
  while (committer.stats().oldest_wait != Duration{0}) std::this_thread::yield();
}

}  // namespace naru::storage

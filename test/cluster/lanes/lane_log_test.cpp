// test/cluster/lanes/lane_log_test.cpp
//
// Goal: positions ascend, failed ones are given out again, applied ones change nothing; and the
// lane of a client id is the same for ever. Method: a dialogue and a table of frozen values.

#include "cluster/lanes/lane_log.hpp"

#include <catch2/catch.hpp>

#include "cluster/lanes/lane_id.hpp"

namespace naru::cluster {

TEST_CASE("A lane reserves in order and applies in order", "[lanes]") {
  LaneLog log{3, 10};
  CHECK(log.next() == LanePosition{3, 11});
  CHECK(log.reserve() == LanePosition{3, 11});
  CHECK(log.reserve() == LanePosition{3, 12});
  CHECK(log.advance({3, 11}));
  CHECK_FALSE(log.advance({3, 11}));
  CHECK_FALSE(log.advance({3, 2}));
  log.rewind();
  CHECK(log.reserved() == 11);
  CHECK(log.reserve() == LanePosition{3, 12});
  CHECK(log.advance({3, 12}));
  CHECK(log.advance({3, 13}));  // A follower applies what it never reserved.
  CHECK(log.next().index == 14);
}

TEST_CASE("A lane takes a later term's records from their beginning, and none of an earlier term",
          "[lanes]") {
  LaneLog log;  // Of a copy: it has seen nothing.
  CHECK(log.advance({3, 1}));
  CHECK(log.advance({3, 2}));
  CHECK(log.advance({5, 1}));
  CHECK_FALSE(log.advance({3, 3}));
  CHECK_FALSE(log.advance({5, 1}));
  CHECK(log.advance({5, 2}));
  CHECK(log.term() == 5);
}

TEST_CASE("A position is one number that ascends with term and index", "[lanes]") {
  CHECK(LanePosition{1, 2}.packed() == 0x0000010000000002);
  CHECK(LanePosition{0xffffff, 0xffffffffff}.packed() == 0xffffffffffffffff);
  CHECK(LanePosition{1, 0xffffffffff}.packed() < LanePosition{2, 1}.packed());
}

// Every stored session lies in the lane these values name: they never change.
TEST_CASE("The lane of an id is frozen", "[lanes]") {
  struct Row {
    BytesView id;
    LaneId lane;
  };
  const Row rows[] = {{"", 0},
                      {"a", 48},
                      {"car-1", 5},
                      {"car-2", 241},
                      {"vehicle-000123", 169},
                      {"0123456789abcdef", 158},
                      {"\xea\xb0\x95", 77},
                      {"spaces and /slashes/#", 233},
                      {"WVWZZZ1JZXW000001", 105}};
  for (const Row& row : rows) {
    INFO(row.id);
    CHECK(lane_of(row.id) == row.lane);
  }
  CHECK(crc32c("123456789") == 0xe3069283);  // The check value of CRC-32C.
}

}  // namespace naru::cluster

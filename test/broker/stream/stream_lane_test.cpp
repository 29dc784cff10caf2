// test/broker/stream/stream_lane_test.cpp
//
// Goal: offsets and sequences without gaps, given back on failure, and a mark that stands for all
// before it. Method: short dialogues; then a random life that a second lane follows.

#include "broker/stream/stream_lane.hpp"

#include <catch2/catch.hpp>

#include "storage/base/rng.hpp"

namespace naru::broker {
namespace {

storage::StreamAppended record(std::uint64_t offset, BytesView key, std::uint64_t sequence) {
  storage::StreamAppended made;
  made.stream = "s";
  made.offset = offset;
  made.row.key = Bytes{key};
  made.row.sequence = sequence;
  return made;
}

Bytes durable(const StreamLane& lane) {
  Bytes out;
  encode_fields(lane.mark("s"), out);
  return out;
}

}  // namespace

TEST_CASE("A stream gives an offset to each record and a sequence to each of a key", "[stream]") {
  StreamLane lane;
  CHECK(lane.end() == 1);
  const auto first = lane.reserve("a");
  const auto second = lane.reserve("b");
  const auto third = lane.reserve("a");
  CHECK((first.offset == 1 && first.sequence == 1));
  CHECK((second.offset == 2 && second.sequence == 1));
  CHECK((third.offset == 3 && third.sequence == 2));
  lane.apply(record(1, "a", 1), 1000);
  lane.rewind();
  const auto again = lane.reserve("a");
  CHECK((again.offset == 2 && again.sequence == 2));
  CHECK(lane.reserve("b").sequence == 1);
  lane.apply(record(1, "a", 1), 1000);
  CHECK(lane.records() == 1);
}

TEST_CASE("Retention keeps all that may be younger than the limit", "[stream]") {
  StreamLane lane;
  for (std::uint64_t i = 1; i <= 10; ++i) lane.apply(record(i, "a", i), i * 60'000);
  CHECK(lane.trim_point(0) == 1);
  CHECK(lane.trim_point(180'000) <= 3);
  CHECK(lane.trim_point(180'001) == 3);
  CHECK(lane.trim_point(10'000'000) == lane.end());
  CHECK(lane.seek(180'000) <= 3);
  CHECK(lane.seek(10'000'000) == 10);
  lane.apply(storage::StreamTrimmed{"s", 5});
  CHECK(lane.first() == 5);
  lane.apply(storage::StreamTrimmed{"s", 3});
  CHECK(lane.first() == 5);
  CHECK(lane.records() == 6);
}

TEST_CASE("A mark and the records behind it are as good as all records", "[stream]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng{seed};
    StreamLane leader, follower;
    const std::uint64_t marked_at = 1 + rng.below(80);
    for (std::uint64_t i = 1; i <= 100; ++i) {
      const Bytes key(1, static_cast<char>('a' + rng.below(6)));
      const auto place = leader.reserve(key);
      leader.apply(record(place.offset, key, place.sequence), i);
      if (rng.chance(0.1)) {
        leader.reserve("z");
        leader.rewind();
      }
      if (i == marked_at) {
        follower.apply(leader.mark("s"));
      } else if (i > marked_at) {
        follower.apply(record(place.offset, key, place.sequence), i);
      }
    }
    REQUIRE(durable(leader) == durable(follower));
    const auto next = leader.reserve("a");
    const auto same = follower.reserve("a");
    REQUIRE((next.offset == same.offset && next.sequence == same.sequence));
  }
}

}  // namespace naru::broker

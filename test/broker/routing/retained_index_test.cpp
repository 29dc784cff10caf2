// test/broker/routing/retained_index_test.cpp
//
// Goal: the newest version of each topic, found by every filter that matches it. Method: cases of
// versions and expiry; then random filters beside mqtt::filter_matches.

#include "broker/routing/retained_index.hpp"

#include <catch2/catch.hpp>

#include "broker/mqtt/topics.hpp"
#include "storage/base/rng.hpp"

namespace naru::broker {
namespace {

storage::MessageRef message(BytesView topic, StoreMillis expires_at = 0) {
  storage::MessageView view;
  view.topic = topic;
  view.payload = "x";
  view.expires_at = expires_at;
  return storage::Message::make(view);
}

std::vector<Bytes> found(const RetainedIndex& index, BytesView filter, StoreMillis now = 1) {
  std::vector<Bytes> topics;
  RetainedIndex::Walk walk{filter, {}, 1'000};
  const Bytes rest = index.walk(walk, now, [&](const storage::MessageRef& each) {
    topics.emplace_back(each->view().topic);
    return true;
  });
  CHECK(rest.empty());
  return topics;
}

using Topics = std::vector<Bytes>;

}  // namespace

TEST_CASE("The newest version of a topic wins, in whatever order they come", "[retained]") {
  RetainedIndex index;
  index.put("a", {2, message("a", 100)});
  index.put("a", {1, message("a")});
  CHECK(index.find("a")->version == 2);
  index.put("a", {1, nullptr});
  CHECK(index.size() == 1);
  index.put("a", {3, nullptr});
  CHECK(index.find("a") == nullptr);
  index.put("b", {4, nullptr});
  CHECK(index.size() == 0);
}

TEST_CASE("A walk in steps finds what one walk finds", "[retained]") {
  RetainedIndex index;
  for (int n = 0; n < 50; ++n) {
    const Bytes topic = (n % 3 == 0 ? "a/" : n % 3 == 1 ? "ab/" : "b/") + std::to_string(n);
    index.put(topic, {1, message(topic, n % 7 == 0 ? 1 : 0)});
  }
  const BytesView filter = GENERATE("#", "a/#", "+/1", "a", "b/+");
  const std::size_t steps = GENERATE(1, 3, 100);
  Topics walked;
  Bytes after;
  int rounds = 0;
  do {
    RetainedIndex::Walk walk{filter, after, steps};
    std::size_t limit = 2;
    after = index.walk(walk, 2, [&](const storage::MessageRef& each) {
      walked.emplace_back(each->view().topic);
      return --limit > 0;
    });
  } while (!after.empty() && ++rounds < 100);
  CHECK(rounds < 100);
  CHECK(walked == found(index, filter, 2));
}

TEST_CASE("A walk passes over what is newer than it is to see", "[retained]") {
  RetainedIndex index;
  index.put("a", {5, message("a")});
  index.put("b", {7, message("b")});
  index.put("c", {6, message("c")});
  Topics topics;
  RetainedIndex::Walk walk{"#", {}, 10, 6};
  index.walk(walk, 1, [&](const storage::MessageRef& each) {
    topics.emplace_back(each->view().topic);
    return true;
  });
  CHECK(topics == Topics{"a", "c"});
  CHECK(walk.steps == 7);
}

TEST_CASE("Expired messages are not found, and are swept round-robin", "[retained]") {
  RetainedIndex index;
  for (const BytesView topic : {"a", "b", "c", "d"}) {
    index.put(topic, {1, message(topic, topic == "c" ? 50 : 0)});
  }
  CHECK(found(index, "#", 49) == Topics{"a", "b", "c", "d"});
  CHECK(found(index, "#", 50) == Topics{"a", "b", "d"});
  CHECK(index.find_expired(49, 10).empty());
  CHECK(index.find_expired(50, 2).empty());  // Looked at a and b.
  CHECK(index.find_expired(50, 2) == "c");
}

TEST_CASE("A filter finds what it matches and nothing else", "[retained]") {
  static constexpr BytesView topics[] = {"a",    "a/b", "a/b/c",  "a/",   "ab",   "ab/c",
                                         "b",    "b/b", "/",      "/a",   "$s/a", "$s",
                                         "a//c", "a/c", "a/bc/d", "long", "a/b/d"};
  static constexpr BytesView parts[] = {"a", "b", "ab", "+", "", "c", "$s"};
  RetainedIndex index;
  for (const BytesView topic : topics) index.put(topic, {1, message(topic)});
  Rng rng{11};
  for (int i = 0; i < 5'000; ++i) {
    Bytes filter{parts[rng.below(std::size(parts))]};
    while (rng.chance(0.5)) filter.append("/").append(parts[rng.below(std::size(parts))]);
    if (rng.chance(0.3)) filter.append(filter.empty() ? "#" : "/#");
    if (!mqtt::valid_filter(filter)) continue;
    Topics expected;
    for (const BytesView topic : topics) {
      if (mqtt::filter_matches(filter, topic)) expected.emplace_back(topic);
    }
    std::sort(expected.begin(), expected.end());
    INFO("filter '" << filter << "'");
    REQUIRE(found(index, filter) == expected);
  }
}

}  // namespace naru::broker

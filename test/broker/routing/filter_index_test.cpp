// test/broker/routing/filter_index_test.cpp
//
// Goal: the index finds exactly the rows whose filter matches. Method: random filters, topics,
// additions and removals from a small alphabet, beside a list that asks mqtt::filter_matches.

#include "broker/routing/filter_index.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <catch2/catch.hpp>

#include "broker/mqtt/topics.hpp"
#include "storage/base/rng.hpp"

namespace naru::broker {
namespace {

Bytes random_text(Rng& rng, bool filter) {
  static constexpr BytesView levels[] = {"a", "b", "", "$s", "long-level", "+", "+"};
  Bytes text;
  const std::uint64_t count = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0) text.push_back('/');
    text.append(levels[rng.below(filter ? std::size(levels) : 5)]);
  }
  if (filter && rng.chance(0.3)) text.append(text.empty() ? "#" : "/#");
  return text.empty() ? Bytes{"a"} : text;
}

using Row = std::tuple<std::uint64_t, std::uint8_t>;  // Owner, options.

std::vector<Row> sorted(const std::vector<Route>& routes) {
  std::vector<Row> rows;
  for (const Route& route : routes) rows.emplace_back(route.owner, route.options);
  std::ranges::sort(rows);
  return rows;
}

}  // namespace

TEST_CASE("The index agrees with the specification's rule on every input", "[routes]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    Rng rng{seed};
    FilterIndex index;
    std::map<std::pair<Bytes, std::uint64_t>, std::uint8_t> model;
    Matches matches;
    for (int step = 0; step < 400; ++step) {
      const Bytes filter = random_text(rng, true);
      REQUIRE(mqtt::valid_filter(filter));
      Route route;
      route.owner = 1 + rng.below(5);
      route.options = static_cast<std::uint8_t>(rng.below(3));
      const auto key = std::pair{filter, route.owner};
      if (rng.chance(0.6)) {
        REQUIRE(index.add(filter, route) == !model.contains(key));
        model[key] = route.options;
      } else {
        REQUIRE(index.remove(filter, route) == (model.erase(key) == 1));
      }
      REQUIRE(index.size() == model.size());
      const Bytes topic = random_text(rng, false);
      std::vector<Row> expected;
      for (const auto& [row, options] : model) {
        if (mqtt::filter_matches(row.first, topic)) expected.emplace_back(row.second, options);
      }
      std::ranges::sort(expected);
      index.match(topic, matches);
      INFO("topic '" << topic << "'");
      REQUIRE(sorted(matches.routes) == expected);
      REQUIRE((matches.filters > 1 || matches.routes.size() == expected.size()));
    }
    for (const auto& [row, options] : model) {
      Route owner;
      owner.owner = row.second;
      REQUIRE(index.remove(row.first, owner));
    }
    CHECK(index.size() == 0);
  }
}

TEST_CASE("An owner has one row a filter; kinds and places are different owners", "[routes]") {
  FilterIndex index;
  CHECK(index.add("a/+", {1, 5, 0, Route::Kind::session, 1}));
  CHECK_FALSE(index.add("a/+", {1, 6, 0, Route::Kind::session, 2}));
  CHECK(index.add("a/+", {1, 0, 1, Route::Kind::session, 0}));
  CHECK(index.add("a/+", {1, 0, 0, Route::Kind::connection, 0}));
  Matches matches;
  index.match("a/b", matches);
  CHECK(matches.filters == 1);
  REQUIRE(matches.routes.size() == 3);
  CHECK(matches.routes[0].subscription_id == 6);
  CHECK_FALSE(index.remove("a/b", {1, 0, 0, Route::Kind::session, 0}));
  CHECK(index.remove("a/+", {1, 0, 0, Route::Kind::session, 0}));
  CHECK(index.size() == 2);
}

}  // namespace naru::broker

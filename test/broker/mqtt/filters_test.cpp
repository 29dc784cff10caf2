// test/broker/mqtt/filters_test.cpp
//
// Goal: what is said of two filters is true of every topic. Method: all filters and all topics of
// up to three levels over a small alphabet; the matcher is the judge.

#include "broker/mqtt/filters.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "broker/mqtt/topics.hpp"

namespace naru::mqtt {
namespace {

std::vector<std::string> texts(const std::vector<std::string>& levels, int depth) {
  std::vector<std::string> all = levels, last = levels;
  for (int i = 1; i < depth; ++i) {
    std::vector<std::string> longer;
    for (const std::string& front : last) {
      for (const std::string& level : levels) longer.push_back(front + "/" + level);
    }
    all.insert(all.end(), longer.begin(), longer.end());
    last = std::move(longer);
  }
  return all;
}

}  // namespace

TEST_CASE("Filters cover and overlap as the topics say", "[mqtt][filters]") {
  // A level more than filters have, and a name that stands in none of them.
  const std::vector<std::string> topics = texts({"a", "z", "$a"}, 4);
  std::vector<std::string> filters = texts({"a", "$a", "+", "#"}, 3);
  std::erase_if(filters, [](const std::string& filter) { return !valid_filter(filter); });
  std::vector<std::vector<bool>> matches;
  for (const std::string& filter : filters) {
    std::vector<bool>& row = matches.emplace_back();
    for (const std::string& topic : topics) row.push_back(filter_matches(filter, topic));
  }
  for (std::size_t i = 0; i < filters.size(); ++i) {
    for (std::size_t j = 0; j < filters.size(); ++j) {
      bool covers = true, overlap = false;
      for (std::size_t t = 0; t < topics.size(); ++t) {
        covers = covers && (matches[i][t] || !matches[j][t]);
        overlap = overlap || (matches[i][t] && matches[j][t]);
      }
      if (filter_covers(filters[i], filters[j]) == covers &&
          filters_overlap(filters[i], filters[j]) == overlap) {
        continue;
      }
      CAPTURE(filters[i], filters[j], covers, overlap);
      CHECK(filter_covers(filters[i], filters[j]) == covers);
      CHECK(filters_overlap(filters[i], filters[j]) == overlap);
    }
  }
}

}  // namespace naru::mqtt

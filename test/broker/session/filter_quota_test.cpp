// test/broker/session/filter_quota_test.cpp
//
// Goal: a session never has more filters than its limit, and no filter is refused that needs no
// room. Method: one SUBSCRIBE with all kinds of filters, at each distance from the limit.

#include "broker/session/filter_quota.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace naru::broker {

using storage::FilterRow;

TEST_CASE("Filters beyond the limit of a session are refused one by one", "[session]") {
  const auto room = GENERATE(std::size_t{0}, 1, 2, 3, 4);
  std::vector<FilterRow> there;
  for (std::size_t n = 0; n < 1000 - room; ++n) {
    there.push_back({std::to_string(n), 1, 0});
  }
  std::vector<FilterRow> rows = {{"a", 1, 0}, {"7", 2, 0}, {"b", 0, 0}, {"c", 1, 0}};
  Bytes codes = "\x01\x9e\x02";  // The second is a shared one, refused before.
  codes += '\0';
  codes += '\x01';
  const std::size_t most = rows.size();
  refuse_beyond_limit(there, rows, codes, 1000);
  CAPTURE(room);
  CHECK(rows.size() == std::min(room + 1, most));
  CHECK(std::ranges::count(rows, "7", &FilterRow::filter) == 1);
  CHECK(codes[1] == '\x9e');
  CHECK(codes[2] == '\x02');
  CHECK(codes[0] == (room >= 1 ? '\x01' : '\x97'));
  CHECK(codes[3] == (room >= 2 ? '\0' : '\x97'));
  CHECK(codes[4] == (room >= 3 ? '\x01' : '\x97'));
}

}  // namespace naru::broker

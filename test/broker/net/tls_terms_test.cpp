// test/broker/net/tls_terms_test.cpp
//
// Goal: an operator hears of what does not hold, soon will not, or is missing, and of nothing else.
// Method: terms and a wall clock that the test makes up; certificates of a real listener are in
// test/system/35_certificate_reload_test.py.

#include "broker/net/tls_terms.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

using Kind = TlsTerm::Kind;

constexpr WallMillis day = 24 * 3600 * 1000;
constexpr WallMillis now = 20'000 * day;  // 2024-10-04.

TlsTerm term(Kind kind, WallMillis from, WallMillis until) {
  return {kind, "/f", "CN=Fleet", from, until};
}

}  // namespace

TEST_CASE("What holds for more than two weeks is no concern", "[tls]") {
  CHECK(concerns_of({}, now).empty());
  CHECK(concerns_of({term(Kind::certificate, 0, now + 14 * day + 1),
                     term(Kind::list, now, TlsTerm::no_end)},
                    now)
            .empty());
}

TEST_CASE("A concern names its key, what is wrong since when, and what to do", "[tls]") {
  struct Row {
    TlsTerm term;
    std::string key, text;
    bool is_off;
  };
  const Row rows[] = {
      {term(Kind::certificate, 0, now), "certfile",
       "certfile /f: the certificate of CN=Fleet ran out at 2024-10-04T00:00:00Z: clients refuse "
       "it; put a new one there and reload",
       true},
      {term(Kind::certificate, now + 1000, now + day), "certfile",
       "certfile /f: the certificate of CN=Fleet holds only from 2024-10-04T00:00:01Z: clients "
       "refuse it; put another one there and reload, or set the clock",
       true},
      {term(Kind::chain, 0, now + 14 * day), "certfile",
       "certfile /f: the certificate of the authority CN=Fleet runs out at 2024-10-18T00:00:00Z; "
       "put a new one there and reload before that",
       false},
      {term(Kind::authority, 0, now - day), "cafile",
       "cafile /f: the authority CN=Fleet ran out at 2024-10-03T00:00:00Z: its certificates are "
       "refused; put the new one there, or take it out, and reload",
       true},
      {term(Kind::list, 0, now - 1), "crlfile",
       "crlfile /f: the list of CN=Fleet ran out at 2024-10-03T23:59:59Z: certificates of that "
       "authority are refused; put a new one there and reload",
       true},
      {term(Kind::no_list, 0, TlsTerm::no_end), "crlfile",
       "crlfile /f: there is no list of CN=Fleet: certificates of that authority are refused; add "
       "it and reload",
       false},
  };
  for (const Row& row : rows) {
    const auto concerns = concerns_of({row.term}, now);
    REQUIRE(concerns.size() == 1);
    CHECK(concerns[0].key == row.key);
    CHECK(concerns[0].text == row.text);
    CHECK(concerns[0].is_off == row.is_off);
  }
}

TEST_CASE("Nothing is said of what another one replaces", "[tls]") {
  const TlsTerm over = term(Kind::list, 0, now - day);
  const TlsTerm early = term(Kind::list, now + day, now + 90 * day);
  const TlsTerm good = term(Kind::list, now - day, now + 30 * day);
  CHECK(concerns_of({over, early, good}, now).empty());
  CHECK(concerns_of({over, early}, now).size() == 2);
  CHECK(concerns_of({over, term(Kind::list, 0, now - 2 * day)}, now).size() == 1);
  CHECK(concerns_of({over, term(Kind::authority, 0, now + 30 * day)}, now).size() == 1);
  TlsTerm of_another = good;
  of_another.name = "CN=Other";
  CHECK(concerns_of({over, of_another}, now).size() == 1);
}

}  // namespace naru::broker

// test/broker/http/target_test.cpp
//
// Goal: a target means the same to us as to whoever wrote it. Method: tables of targets and parts.

#include "broker/http/target.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {
namespace {

using Path = std::vector<Bytes>;

}  // namespace

TEST_CASE("A target's path is split before it is decoded", "[http]") {
  struct Row {
    Bytes target;
    Path path;
  };
  const auto row = GENERATE(values<Row>({
      {"/v1/status", {"v1", "status"}},
      {"/v1/clients/a%20b%2F%C3%BC%3F", {"v1", "clients", "a b/\xc3\xbc?"}},
      {"/v1/clients/a+b", {"v1", "clients", "a+b"}},
      {"/v1/clients/", {"v1", "clients", ""}},
      {"/", {}},
      {"/?a=b", {}},
      {"http://naru/v1/status", {"v1", "status"}},
      {"http://naru", {}},
      {"/a//b", {"a", "", "b"}},
      {"/v1/status#part", {"v1", "status"}},
  }));
  CAPTURE(row.target);
  const auto target = parse_target(row.target);
  REQUIRE(target.has_value());
  CHECK(target->path == row.path);
}

TEST_CASE("A query is decoded by name, with '+' for a blank", "[http]") {
  const auto target = parse_target("/x?from=a%2Bb&name=a+b&empty=&flag&&limit=1&limit=2&v=a=b");
  REQUIRE(target.has_value());
  CHECK(target->query == Query{{"from", "a+b"},
                               {"name", "a b"},
                               {"empty", ""},
                               {"flag", ""},
                               {"limit", "2"},
                               {"v", "a=b"}});
}

TEST_CASE("A malformed target is refused", "[http]") {
  const Bytes target = GENERATE("", "v1", "*", "/%", "/%4", "/%4g", "/x?a=%", "/x?%zz=1");
  CAPTURE(target);
  const auto parsed = parse_target(target);
  REQUIRE_FALSE(parsed.has_value());
  CHECK(parsed.error().code == Errc::invalid);
}

}  // namespace naru::broker

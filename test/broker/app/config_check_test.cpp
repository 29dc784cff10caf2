// test/broker/app/config_check_test.cpp
//
// Goal: place and text of a fault are told apart, however it was written. Method: a table.

#include "broker/app/config_check.hpp"

#include <catch2/catch.hpp>

namespace naru::broker {

TEST_CASE("A fault's place and text are told apart", "[config]") {
  struct Row {
    std::string_view fault, file;
    unsigned line;
    std::string_view text;
  };
  const Row row = GENERATE(values<Row>({
      {"/etc/naru.conf:12: error: no such file", "/etc/naru.conf", 12, "no such file"},
      {"/etc/passwd:3: the password is not hashed: mend it", "/etc/passwd", 3,
       "the password is not hashed: mend it"},
      {"cannot read /etc/acl: no such file", "", 0, "cannot read /etc/acl: no such file"},
      {"C:x: text", "", 0, "C:x: text"},
      {"no place", "", 0, "no place"},
      {"", "", 0, ""},
  }));
  const Problem problem = problem_of(row.fault);
  CHECK(problem.file == row.file);
  CHECK(problem.line == row.line);
  CHECK(problem.text == row.text);
}

}  // namespace naru::broker

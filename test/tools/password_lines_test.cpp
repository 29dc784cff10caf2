// test/tools/password_lines_test.cpp
//
// Goal: changing one user leaves everybody else's line alone. Method: small files with comments,
// similar names and a missing last newline.

#include <catch2/catch.hpp>

#include "tools/naru/password_lines.hpp"

namespace naru::tools {

TEST_CASE("A new user comes at the end, on a line of its own", "[tools]") {
  std::string text = "# cars\nann:1";
  set_user(text, "bob", "bob:2");
  CHECK(text == "# cars\nann:1\nbob:2\n");
  std::string empty;
  set_user(empty, "bob", "bob:2");
  CHECK(empty == "bob:2\n");
}

TEST_CASE("A known user's line is replaced, a similar name's is not", "[tools]") {
  std::string text = "anna:1\nann:1\n# ann:0\nbob:1\n";
  set_user(text, "ann", "ann:2");
  CHECK(text == "anna:1\nann:2\n# ann:0\nbob:1\n");
}

TEST_CASE("Removing takes exactly one line", "[tools]") {
  std::string text = "ann:1\nbob:1";
  CHECK_FALSE(remove_user(text, "bo"));
  CHECK(remove_user(text, "bob"));
  CHECK(text == "ann:1\n");
}

}  // namespace naru::tools

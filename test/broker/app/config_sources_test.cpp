// test/broker/app/config_sources_test.cpp
//
// Goal: the files of an include_dir come in mosquitto's order. Method: a real directory.

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

#include "broker/app/config_file.hpp"

namespace naru::broker {

TEST_CASE("Included files come by name, upper and lower case together", "[config]") {
  const auto path =
      std::filesystem::temp_directory_path() / ("naru_sources_test_" + std::to_string(::getpid()));
  std::filesystem::create_directory(path);
  for (const char* const name :
       {"B.conf", "b2.conf", "a.conf", "A.conf", "_.conf", "9.conf", "c.txt"}) {
    std::ofstream{path / name} << "# " << name << "\n";
  }
  const auto files = read_directory(path);
  REQUIRE(files.has_value());
  std::vector<std::string> names;
  for (const SourceFile& each : *files) {
    names.push_back(std::filesystem::path{each.name}.filename());
  }
  CHECK(names ==
        std::vector<std::string>{"9.conf", "A.conf", "a.conf", "B.conf", "b2.conf", "_.conf"});
  std::filesystem::remove_all(path);
}

TEST_CASE("include_dir without a directory is said as such", "[config]") {
  const ConfigOutcome outcome = parse_config({"a.conf", "\ninclude_dir \n"});
  REQUIRE(outcome.problems.size() == 1);
  CHECK(to_string(outcome.problems[0]) ==
        "a.conf:2: error: include_dir has no value; expected a directory");
}

}  // namespace naru::broker

// test/broker/app/reference_test.cpp
//
// Goal: the page about options is what the tables say. Method: it is made again and compared.

#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "broker/app/config.hpp"

namespace naru::broker {

// naru config reference > deploy/guide/configuration.md
TEST_CASE("The configuration page is what the tables of options say", "[config]") {
  std::ifstream file{NARU_CONFIGURATION_PAGE};
  std::stringstream page;
  page << file.rdbuf();
  CHECK(page.str() == reference_page());
}

}  // namespace naru::broker

// test/broker/auth/acl_text.hpp
//
// An acl_file from its text: as it has to be, or what is wrong with it.
#pragma once

#include <string>

#include <catch2/catch.hpp>

#include "broker/auth/acl.hpp"

namespace naru::test {

inline broker::Acl good(const std::string& text) {
  auto acl = broker::Acl::parse(text, "acl");
  INFO((acl ? "" : acl.error().text));
  REQUIRE(acl.has_value());
  return *acl;
}

inline std::string fault_of(const std::string& text) {
  const auto acl = broker::Acl::parse(text, "acl");
  return acl ? "" : acl.error().text;
}

}  // namespace naru::test

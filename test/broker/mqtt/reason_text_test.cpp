// test/broker/mqtt/reason_text_test.cpp
//
// Goal: whoever is refused can be told why in words. Method: walk all 256 numbers.

#include <catch2/catch.hpp>

#include "broker/mqtt/reason_text.hpp"

namespace naru::mqtt {

TEST_CASE("A reason code has a text exactly when it refuses", "[mqtt][MQTT-2.4]") {
  for (int number = 0; number < 256; ++number) {
    CAPTURE(number);
    const auto code = static_cast<ReasonCode>(number);
    CHECK(text_of(code).empty() == (!is_failure(code) || name(code) == "unknown"));
    CHECK(text_of(code).size() < 60);
  }
}

TEST_CASE("The texts of refused clients say no more than their codes", "[mqtt]") {
  CHECK(text_of(ReasonCode::bad_user_name_or_password) == "bad user name or password");
  CHECK(text_of(ReasonCode::not_authorized) == "not authorized");
}

}  // namespace naru::mqtt

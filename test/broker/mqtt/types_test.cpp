// test/broker/mqtt/types_test.cpp
//
// Goal: reason codes have names, a home and a 3.x translation. Method: walk all 256 numbers and
// compare what the specification counts.

#include <catch2/catch.hpp>

#include "broker/mqtt/decode_error.hpp"
#include "broker/mqtt/types.hpp"

namespace naru::mqtt {
namespace {

int codes_of(PacketType type) {
  int count = 0;
  for (int code = 0; code < 256; ++code) count += may_carry(type, static_cast<ReasonCode>(code));
  return count;
}

}  // namespace

TEST_CASE("Every packet has as many reason codes as its table in MQTT 5", "[mqtt][MQTT-2.4]") {
  CHECK(codes_of(PacketType::connack) == 22);
  CHECK(codes_of(PacketType::puback) == 9);
  CHECK(codes_of(PacketType::pubrec) == 9);
  CHECK(codes_of(PacketType::pubrel) == 2);
  CHECK(codes_of(PacketType::pubcomp) == 2);
  CHECK(codes_of(PacketType::suback) == 12);
  CHECK(codes_of(PacketType::unsuback) == 7);
  CHECK(codes_of(PacketType::disconnect) == 30);
  CHECK(codes_of(PacketType::auth) == 3);
  CHECK(codes_of(PacketType::publish) == 0);
}

TEST_CASE("A reason code has a name exactly when a packet may carry it", "[mqtt]") {
  for (int number = 0; number < 256; ++number) {
    CAPTURE(number);
    const auto code = static_cast<ReasonCode>(number);
    bool carried = false;
    for (int type = 1; type < 16; ++type) carried |= may_carry(static_cast<PacketType>(type), code);
    CHECK(carried == (name(code) != "unknown"));
  }
  CHECK(name(ReasonCode::not_authorized) == "not_authorized");
  CHECK(name(ReasonCode::wildcard_subscriptions_not_supported) ==
        "wildcard_subscriptions_not_supported");
}

TEST_CASE("CONNACK codes of 3.x go there and back", "[mqtt][MQTT-3.2.2]") {
  for (int number = 0; number <= 5; ++number) {
    const auto code = static_cast<std::uint8_t>(number);
    CHECK(connack_code_v3(reason_of_connack_v3(code)) == code);
  }
  CHECK(reason_of_connack_v3(6) == ReasonCode::unspecified_error);
  CHECK(connack_code_v3(ReasonCode::banned) == 5);
  CHECK(connack_code_v3(ReasonCode::server_busy) == 3);
  CHECK(connack_code_v3(ReasonCode::quota_exceeded) == 3);
}

TEST_CASE("Every decode error has a reason that DISCONNECT or CONNACK may carry", "[mqtt]") {
  for (auto number = 1; number <= static_cast<int>(DecodeError::topic_alias_invalid); ++number) {
    const auto error = static_cast<DecodeError>(number);
    CAPTURE(name(error));
    CHECK(is_failure(reason_of(error)));
    CHECK((may_carry(PacketType::disconnect, reason_of(error)) ||
           error == DecodeError::unsupported_version));
  }
  CHECK(reason_of(DecodeError::none) == ReasonCode::success);
  // Section 2.2.2.2: in the wrong packet it is malformed; only what stands twice is an error.
  CHECK(reason_of(DecodeError::property_misplaced) == ReasonCode::malformed_packet);
  CHECK(reason_of(DecodeError::property_repeated) == ReasonCode::protocol_error);
  CHECK(name(PacketType::pubcomp) == "pubcomp");
  CHECK(name(Version::v3_1_1) == "3.1.1");
}

}  // namespace naru::mqtt

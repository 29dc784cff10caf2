// test/broker/mqtt/framing_test.cpp
//
// Goal: next_frame() says where a packet ends, or why not, from as few bytes as possible.
// Method: fixed headers in hexadecimal, with and without their bodies.

#include <catch2/catch.hpp>

#include "broker/mqtt/decoder.hpp"
#include "test/support/hex.hpp"

namespace naru::mqtt {

using test::from_hex;

TEST_CASE("next_frame decides as early as the bytes allow", "[mqtt][MQTT-2.1.4]") {
  Frame frame;
  CHECK(next_frame("", 0, frame) == Framing::incomplete);
  CHECK(next_frame(from_hex("00"), 0, frame) == Framing::malformed);  // No packet of type 0.
  CHECK(next_frame(from_hex("30"), 0, frame) == Framing::incomplete);
  CHECK(frame.size == 0);
  CHECK(next_frame(from_hex("30 80 80 80"), 0, frame) == Framing::incomplete);
  CHECK(next_frame(from_hex("30 80 80 80 80"), 0, frame) == Framing::malformed);
  CHECK(next_frame(from_hex("30 ff ff ff 7f"), 0, frame) == Framing::incomplete);
  CHECK(frame.size == packet_size_limit);
  CHECK(next_frame(from_hex("30 ff ff ff 7f"), 0xffff'ffff, frame) == Framing::incomplete);

  // Header and body together count.
  CHECK(next_frame(from_hex("30 03"), 4, frame) == Framing::too_large);
  CHECK(frame.size == 5);
  CHECK(frame.first_byte == 0x30);
  CHECK(next_frame(from_hex("30 03"), 5, frame) == Framing::incomplete);
  CHECK(frame.body.empty());
  const Bytes two = from_hex("30 03 00 01 'a' c0 00");
  CHECK(next_frame(two, 5, frame) == Framing::complete);
  CHECK(frame.body == from_hex("00 01 'a'"));
  CHECK(next_frame(BytesView{two}.substr(frame.size), 5, frame) == Framing::complete);
  CHECK(type_of(frame) == PacketType::pingreq);
}

}  // namespace naru::mqtt

// test/broker/transport/packet_frames_test.cpp
//
// Goal: a message is a packet, whole or in fragments, wherever the packets were cut on their way.
// Method: packets of telling sizes in two pieces, cut at each place, put together as a client does.

#include "broker/transport/packet_frames.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "storage/base/byte_reader.hpp"
#include "test/support/hex.hpp"

namespace naru::transport {
namespace {

// What a client makes of the server's frames.
std::vector<Bytes> messages_of(BytesView wire) {
  std::vector<Bytes> messages;
  ByteReader in{wire};
  bool open = false;
  while (!in.empty()) {
    const std::uint8_t first = in.u8();
    const std::uint8_t length = in.u8();
    const std::uint64_t size = length == 126 ? in.u16() : length == 127 ? in.u64() : length;
    CHECK((first & 0x0f) == (open ? 0 : 2));
    if (!open) messages.emplace_back();
    messages.back().append(in.take(size).rest());
    open = (first & 0x80) == 0;
  }
  CHECK(in.ok());
  CHECK_FALSE(open);
  return messages;
}

const std::vector<Bytes> packets = {
    test::from_hex("20 02 00 00"),           // CONNACK
    test::from_hex("90 03 00 01 01"),        // SUBACK
    Bytes("\x30\x7d", 2) + Bytes(125, 'a'),  // Each length of a length.
    Bytes("\x30\x80\x01", 3) + Bytes(128, 'b'),
    test::from_hex("d0 00"),  // PINGRESP
    Bytes("\x30\x80\x80\x01", 4) + Bytes(16384, 'c'),
};

}  // namespace

TEST_CASE("A message is a packet, wherever the packets were cut", "[websocket][MQTT-6.0.0-2]") {
  Bytes all;
  for (const Bytes& packet : packets) all.append(packet);
  for (std::size_t cut = 0; cut <= all.size(); cut += cut < 300 ? 1 : 997) {
    PacketFrames framer;
    Bytes frames;
    const std::size_t taken = framer.append(BytesView{all}.substr(0, cut), frames);
    CHECK(taken <= cut);
    CHECK(cut - taken < 5);  // Only a header whose length is not whole is left behind.
    CHECK(framer.append(BytesView{all}.substr(taken), frames) == all.size() - taken);
    CHECK(messages_of(frames) == packets);
  }
}

TEST_CASE("A packet in many pieces is a message in fragments", "[websocket]") {
  PacketFrames framer;
  Bytes frames;
  CHECK(framer.append("\x30\x05"
                      "ab",
                      frames) == 4);
  CHECK(framer.append("c", frames) == 1);
  CHECK(framer.append("de\xd0", frames) == 2);
  CHECK(framer.append(BytesView{"\xd0\x00", 2}, frames) == 2);
  CHECK(frames == test::from_hex("02 04 30 05 'ab' 00 01 'c' 80 02 'de' 82 02 d0 00"));
}

}  // namespace naru::transport

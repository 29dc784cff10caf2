// test/broker/transport/websocket_frames_test.cpp
//
// Goal: what the decoder yields does not depend on how the wire was cut, and every broken rule has
// its close code. Method: tables of frames, given whole, in every two parts, and byte by byte.

#include "broker/transport/websocket_frames.hpp"

#include <catch2/catch.hpp>

#include "storage/base/limits.hpp"
#include "test/support/hex.hpp"

namespace naru::transport {
namespace {

struct Outcome {
  Bytes data, answer;
  bool going = true;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(const std::vector<BytesView>& pieces) {
  Outcome outcome;
  WebsocketDecoder decoder;
  for (const BytesView piece : pieces) {
    outcome.going = decoder.receive(piece, outcome.data, outcome.answer);
  }
  return outcome;
}

// A client's frame, masked.
Bytes frame(std::uint8_t first, BytesView payload, std::uint64_t claimed, int length_bytes) {
  Bytes out(1, static_cast<char>(first));
  const std::uint8_t marker = length_bytes == 8 ? 127 : length_bytes == 2 ? 126 : 0;
  out.push_back(static_cast<char>(0x80 | (length_bytes == 0 ? claimed : marker)));
  for (int i = length_bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(claimed >> (8 * i)));
  const Bytes mask = "\x11\xa2\x33\xc4";
  out.append(mask);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  }
  return out;
}

Bytes frame(std::uint8_t first, BytesView payload) {
  const int length_bytes = payload.size() < 126 ? 0 : payload.size() <= 0xffff ? 2 : 8;
  return frame(first, payload, payload.size(), length_bytes);
}

Bytes close_of(unsigned code) {
  return {static_cast<char>(0x88), 2, static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
}

}  // namespace

TEST_CASE("A stream of frames gives the same however it is cut", "[websocket]") {
  const Bytes wire = frame(0x82, "abc") + frame(0x02, "de") + frame(0x89, "ping") +
                     frame(0x00, "") + frame(0x80, "fgh") + frame(0x8a, "unasked") +
                     frame(0x82, Bytes(300, 'x')) + frame(0x82, Bytes(70'000, 'y'));
  const Outcome whole = decode({wire});
  CHECK(whole.going);
  CHECK(whole.data == "abcdefgh" + Bytes(300, 'x') + Bytes(70'000, 'y'));
  CHECK(whole.answer == Bytes("\x8a\x04") + "ping");
  for (std::size_t cut = 0; cut < 400; ++cut) {
    CHECK(decode({BytesView{wire}.substr(0, cut), BytesView{wire}.substr(cut)}) == whole);
  }
  std::vector<BytesView> bytes;
  for (std::size_t i = 0; i < wire.size(); ++i) bytes.push_back(BytesView{wire}.substr(i, 1));
  CHECK(decode(bytes) == whole);
}

TEST_CASE("A strict prefix never ends a connection and never answers too early", "[websocket]") {
  const Bytes ping = frame(0x89, "12345");
  for (std::size_t size = 0; size < ping.size(); ++size) {
    const Outcome outcome = decode({BytesView{ping}.substr(0, size)});
    CHECK(outcome.going);
    CHECK(outcome.answer.empty());
  }
}

TEST_CASE("What breaks a rule is answered with its close code", "[websocket]") {
  struct Row {
    Bytes wire;
    unsigned code;
  };
  const Bytes two("\x03\xe8", 2);
  const auto row = GENERATE_COPY(values<Row>({
      {frame(0x81, "text"), 1003},
      {frame(0x01, "te"), 1003},
      {test::from_hex("82 00"), 1002},  // Not masked.
      {test::from_hex("82 7e"), 1002},  // The same, before its length is there.
      {frame(0xc2, "x"), 1002},         // Reserved bits.
      {frame(0xa2, "x"), 1002},
      {frame(0x92, "x"), 1002},
      {frame(0x83, "x"), 1002},  // Unknown opcodes.
      {frame(0x8b, "x"), 1002},
      {frame(0x80, "x"), 1002},                     // Goes on with nothing.
      {frame(0x02, "a") + frame(0x82, "b"), 1002},  // Begins anew in between.
      {frame(0x09, "x"), 1002},                     // A control frame in pieces.
      {frame(0x89, Bytes(126, 'x')), 1002},
      {frame(0x82, "", 125, 2), 1002},  // Lengths in more bytes than needed.
      {frame(0x82, "", 0xffff, 8), 1002},
      {frame(0x82, "", 1ull << 63, 8), 1002},
      {frame(0x82, "", limits::packet_bytes + 1ull, 8), 1009},
      {frame(0x88, ""), 1000},
      {frame(0x88, two), 1000},
      {frame(0x88, two + "reason"), 1000},
      {frame(0x88, "x"), 1002},
      {frame(0x88, Bytes("\x03\xed", 2)), 1002},  // 1005 may not be said.
      {frame(0x88, Bytes("\x13\x88", 2)), 1002},  // 5000
      {frame(0x88, Bytes("\x0f\xa0", 2)), 4000},
      {frame(0x88, two + "\xff"), 1007},
      {frame(0x88, two + "\xed\xa0\x80"), 1007},  // A surrogate.
  }));
  CAPTURE(test::to_hex(row.wire));
  const Outcome outcome = decode({row.wire, frame(0x82, "after the end")});
  CHECK_FALSE(outcome.going);
  CHECK(outcome.answer == close_of(row.code));
  CHECK(outcome.data.find("after") == Bytes::npos);
}

TEST_CASE("A length that lies takes what comes as its own, and no more memory", "[websocket]") {
  const Outcome outcome = decode({frame(0x82, "four", 1'000'000, 8)});
  CHECK(outcome.going);
  CHECK(outcome.data == "four");
}

TEST_CASE("Headers of the server's frames have the shortest length", "[websocket]") {
  struct Row {
    std::size_t size;
    const char* hex;
  };
  const auto row = GENERATE(values<Row>({{0, "82 00"},
                                         {125, "82 7d"},
                                         {126, "82 7e 00 7e"},
                                         {0xffff, "82 7e ff ff"},
                                         {0x10000, "82 7f 00 00 00 00 00 01 00 00"}}));
  Bytes out;
  append_frame_header(FramePart::whole, row.size, out);
  CHECK(out == test::from_hex(row.hex));
}

}  // namespace naru::transport

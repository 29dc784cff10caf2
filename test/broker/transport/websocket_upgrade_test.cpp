// test/broker/transport/websocket_upgrade_test.cpp
//
// Goal: browsers and MQTT libraries get their WebSocket, everybody else an answer that says what is
// wrong. Method: one good request, changed line by line; every prefix of it.

#include "broker/transport/websocket_upgrade.hpp"

#include <catch2/catch.hpp>

#include "storage/base/limits.hpp"

namespace naru::transport {
namespace {

using enum UpgradeVerdict;

const Bytes good =
    "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "sec-websocket-protocol: chat , mqtt\r\nOrigin: https://a.example\r\n\r\n";

UpgradeVerdict judge(const Bytes& text, const std::vector<Bytes>& origins = {}) {
  UpgradeRequest request;
  return decode_upgrade(text, origins, request);
}

Bytes changed(const Bytes& from, const Bytes& to) {
  Bytes text = good;
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("A good request is understood, with frames behind it", "[websocket]") {
  UpgradeRequest request;
  const Bytes text = good + "frames";
  REQUIRE(decode_upgrade(text, {}, request) == accepted);
  CHECK(request.size == good.size());
  CHECK(request.key == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(request.subprotocol == "mqtt");
  CHECK(judge(good, {"https://a.example"}) == accepted);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(judge(good.substr(0, size)) == incomplete);
  }
}

TEST_CASE("A request that is wrong gets its own answer", "[websocket]") {
  struct Row {
    Bytes text;
    UpgradeVerdict verdict;
  };
  const auto row = GENERATE_COPY(values<Row>({
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", no_upgrade},
      {changed("GET", "POST"), wrong_method},
      {changed("HTTP/1.1", "HTTP/1.0"), malformed},
      {changed("GET /mqtt HTTP/1.1", "GET /mqtt"), malformed},
      {changed("Host: a\r\n", ""), malformed},
      {changed("Host: a\r\n", "Host: a\r\nHost: b\r\n"), malformed},
      {changed("Host: a", "Host : a"), malformed},
      {changed("Host: a", "no colon"), malformed},
      {changed("WebSocket", "h2c"), no_upgrade},
      {changed("keep-alive, Upgrade", "keep-alive"), no_upgrade},
      {changed("Version: 13", "Version: 8"), no_upgrade},
      {changed("dGhlIHNhbXBsZSBub25jZQ==", "short"), malformed},
      {changed("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q=="), malformed},
      {changed("chat , mqtt", "chat"), wrong_protocol},
      {changed("sec-websocket-protocol: chat , mqtt\r\n", ""), wrong_protocol},
      {changed("chat , mqtt", "mqttv3.1"), accepted},
      {Bytes(limits::upgrade_bytes, 'a'), too_large},
      {"GET / HTTP/1.1\r\nx: " + Bytes(limits::upgrade_bytes, 'a') + "\r\n\r\n", too_large},
      {Bytes("\x10\x20\x00\x04MQTT", 8), malformed},
  }));
  CAPTURE(row.text);
  CHECK(judge(row.text) == row.verdict);
  if (row.verdict == accepted) return;
  const Bytes reply = upgrade_refusal(row.verdict);
  CHECK(reply.starts_with("HTTP/1.1 4"));
  CHECK(reply.ends_with(Bytes{text_of(row.verdict)} + "\n"));
}

TEST_CASE("Where origins are listed, no other page gets in", "[websocket]") {
  CHECK(judge(good, {"https://b.example"}) == wrong_origin);
  CHECK(judge(changed("Origin: https://a.example\r\n", ""), {"https://a.example"}) == wrong_origin);
}

TEST_CASE("The reply names what was chosen", "[websocket]") {
  const Bytes reply = upgrade_reply("accepted", "mqtt");
  CHECK(reply.find("Sec-WebSocket-Accept: accepted\r\n") != Bytes::npos);
  CHECK(reply.ends_with("Sec-WebSocket-Protocol: mqtt\r\n\r\n"));
}

}  // namespace naru::transport

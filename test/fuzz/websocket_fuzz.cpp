// test/fuzz/websocket_fuzz.cpp
//
// Goal: no bytes make the decoders between socket and MQTT read out of bounds, and how the wire is
// cut changes nothing. Method: the first byte chooses a size of pieces; the rest is decoded whole
// and in such pieces, and must give the same. The same bytes are tried as a request.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "broker/transport/websocket_frames.hpp"
#include "broker/transport/websocket_upgrade.hpp"
#include "storage/base/check.hpp"

namespace naru::transport {
namespace {

struct Outcome {
  Bytes data, answer;
  bool going = true;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(BytesView wire, std::size_t piece) {
  Outcome outcome;
  WebsocketDecoder decoder;
  while (outcome.going && !wire.empty()) {
    const std::size_t n = std::min(piece, wire.size());
    outcome.going = decoder.receive(wire.substr(0, n), outcome.data, outcome.answer);
    wire.remove_prefix(n);
  }
  return outcome;
}

void ask(BytesView bytes) {
  UpgradeRequest request;
  const UpgradeVerdict verdict = decode_upgrade(bytes, {}, request);
  if (verdict == UpgradeVerdict::incomplete) return;
  if (verdict != UpgradeVerdict::accepted) {
    NARU_CHECK(!upgrade_refusal(verdict).empty());
    return;
  }
  NARU_CHECK(request.size <= bytes.size());
  NARU_CHECK(!upgrade_reply(request.key, request.subprotocol).empty());
}

}  // namespace
}  // namespace naru::transport

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace naru::transport;
  if (size == 0) return 0;
  const naru::BytesView wire{reinterpret_cast<const char*>(data) + 1, size - 1};
  const Outcome whole = decode(wire, std::max<std::size_t>(wire.size(), 1));
  NARU_CHECK(whole.data.size() <= wire.size());
  NARU_CHECK(decode(wire, 1 + data[0] % 32) == whole);
  ask(wire);
  return 0;
}

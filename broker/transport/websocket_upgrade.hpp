// broker/transport/websocket_upgrade.hpp
//
// The HTTP request with which a client turns a connection into a WebSocket, and what we answer.
//
// Sans-IO:    pure functions.
// Lives on:   any thread.
// Bounded by: limits::upgrade_bytes; a longer request is answered with 431.
// Spec:       RFC 6455 section 4.2; MQTT 5.0 section 6.
#pragma once

#include <cstddef>
#include <vector>

#include "storage/base/bytes.hpp"

namespace naru::transport {

struct UpgradeRequest {
  std::size_t size = 0;   // Of the whole request; WebSocket frames follow it.
  BytesView key;          // For Sec-WebSocket-Accept. Points into the request.
  BytesView subprotocol;  // The one we choose, mqtt or mqttv3.1.
};

enum class UpgradeVerdict : unsigned char {
  accepted,
  incomplete,
  malformed,       // 400
  wrong_origin,    // 403
  wrong_method,    // 405
  wrong_protocol,  // 400: it does not offer MQTT.
  no_upgrade,      // 426: no WebSocket is asked for, or another version of it.
  too_large,       // 431
};

// What stands at the start of `bytes`. Origins: those that may ask; empty: any, and none as well.
UpgradeVerdict decode_upgrade(BytesView bytes, const std::vector<Bytes>& origins,
                              UpgradeRequest& out);
// `accept`: base64 of the SHA-1 of the key and RFC 6455's fixed text.
Bytes upgrade_reply(BytesView accept, BytesView subprotocol);
// The whole response. REQUIRES: neither accepted nor incomplete.
Bytes upgrade_refusal(UpgradeVerdict verdict);
// A sentence for the log, and the response's body.
BytesView text_of(UpgradeVerdict verdict);

}  // namespace naru::transport

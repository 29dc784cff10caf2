// broker/transport/websocket_frames.hpp
//
// WebsocketDecoder takes the frames of one client apart: payloads of binary messages come out as
// one stream of bytes, pings are answered, and whatever breaks a rule ends the connection with its
// close code. How frames cut the stream means nothing to MQTT.
//
// Sans-IO:    bytes in, bytes and answers out.
// Lives on:   one shard at a time; a value.
// Owned by:   Channel.
// Bounded by: a control frame's 125 bytes; payloads are passed on as they come and never kept.
// Spec:       RFC 6455 chapter 5 and section 7.4; MQTT 5.0 section 6.
#pragma once

#include <array>
#include <cstdint>

#include "storage/base/bytes.hpp"

namespace naru::transport {

// The codes of close frames that we send ourselves.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,  // Text: MQTT is binary.
  invalid_payload = 1007,   // A reason that is no UTF-8.
  too_large = 1009,
};

class WebsocketDecoder {
 public:
  // Takes all of `wire`; appends payloads to `data`, and frames that answer to `answer`. False: it
  // is over, and the close frame is the last of `answer`.
  bool receive(BytesView wire, Bytes& data, Bytes& answer);

  // Once it is over: empty if the client closed as it should, else what it did.
  BytesView failure() const { return failure_; }

 private:
  enum class Opcode : std::uint8_t {
    more = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10
  };

  bool is_control() const { return static_cast<std::uint8_t>(opcode_) >= 8; }
  std::size_t header_size() const;
  bool take_header(BytesView& wire, Bytes& answer);
  bool open_frame(Bytes& answer);
  void take_payload(BytesView& wire, Bytes& data);
  bool end_control(Bytes& answer);
  bool fail(CloseCode code, BytesView why, Bytes& answer);

  std::array<char, 14> header_{};
  std::uint8_t header_bytes_ = 0;  // How much of it is there.
  bool in_payload_ = false;
  bool in_message_ = false;  // A message has begun and its last frame has not.
  bool over_ = false;
  Opcode opcode_ = Opcode::more;
  std::uint8_t mask_at_ = 0;
  std::array<char, 4> mask_{};
  std::uint64_t left_ = 0;  // Of the payload.
  Bytes control_;           // Payload of a control frame.
  BytesView failure_;
};

// What a frame is of its binary message: the first byte of its header.
enum class FramePart : std::uint8_t { whole = 0x82, first = 0x02, middle = 0x00, last = 0x80 };

// The header of a frame with that much payload behind it.
void append_frame_header(FramePart part, std::size_t payload_bytes, Bytes& out);
void append_close_frame(CloseCode code, Bytes& out);

}  // namespace naru::transport

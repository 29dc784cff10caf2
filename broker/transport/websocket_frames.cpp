#include "broker/transport/websocket_frames.hpp"

#include <algorithm>

#include "broker/mqtt/topics.hpp"
#include "storage/base/limits.hpp"

namespace naru::transport {

namespace {

constexpr std::uint8_t final_bit = 0x80, reserved_bits = 0x70, opcode_bits = 0x0f;
constexpr std::uint8_t mask_bit = 0x80, length_bits = 0x7f;
constexpr std::uint8_t length_in_2 = 126, length_in_8 = 127;
constexpr std::size_t control_bytes_most = 125;

std::uint8_t byte_at(BytesView bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint64_t big_endian(BytesView bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

void append_header(std::uint8_t first, std::size_t size, Bytes& out) {
  out.push_back(static_cast<char>(first));
  if (size < length_in_2) {
    out.push_back(static_cast<char>(size));
    return;
  }
  const int length_bytes = size <= 0xffff ? 2 : 8;
  out.push_back(static_cast<char>(length_bytes == 2 ? length_in_2 : length_in_8));
  for (int i = length_bytes - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(std::uint64_t{size} >> (8 * i)));
  }
}

// RFC 6455 section 7.4: what may stand in a close frame.
bool may_be_said(std::uint64_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

void append_frame_header(FramePart part, std::size_t payload_bytes, Bytes& out) {
  append_header(static_cast<std::uint8_t>(part), payload_bytes, out);
}

void append_close_frame(CloseCode code, Bytes& out) {
  append_header(final_bit | 8, 2, out);
  out.push_back(static_cast<char>(static_cast<std::uint16_t>(code) >> 8));
  out.push_back(static_cast<char>(static_cast<std::uint16_t>(code) & 0xff));
}

bool WebsocketDecoder::receive(BytesView wire, Bytes& data, Bytes& answer) {
  while (!over_ && (!wire.empty() || (in_payload_ && left_ == 0))) {
    if (!in_payload_) {
      if (!take_header(wire, answer)) break;
      continue;
    }
    take_payload(wire, data);
    if (left_ != 0) break;
    in_payload_ = false;
    header_bytes_ = 0;
    if (is_control() && !end_control(answer)) break;
  }
  return !over_;
}

// As far as its first two bytes tell.
std::size_t WebsocketDecoder::header_size() const {
  if (header_bytes_ < 2) return 2;
  const std::uint8_t length = static_cast<std::uint8_t>(header_[1]) & length_bits;
  return 2 + (length == length_in_2 ? 2u : length == length_in_8 ? 8u : 0u) + mask_.size();
}

// False: it is over. Else a part of the header was taken, or all of it.
bool WebsocketDecoder::take_header(BytesView& wire, Bytes& answer) {
  const std::size_t n = std::min(wire.size(), header_size() - header_bytes_);
  wire.copy(header_.data() + header_bytes_, n);
  wire.remove_prefix(n);
  header_bytes_ = static_cast<std::uint8_t>(header_bytes_ + n);
  if (header_bytes_ < 2) return true;
  // Not masked: there will be no mask to wait for.
  if ((static_cast<std::uint8_t>(header_[1]) & mask_bit) == 0) {
    return fail(CloseCode::protocol_error, "a frame is not masked", answer);
  }
  return header_bytes_ < header_size() || open_frame(answer);
}

bool WebsocketDecoder::open_frame(Bytes& answer) {
  const BytesView header{header_.data(), header_bytes_};
  const std::uint8_t first = byte_at(header, 0);
  const std::uint8_t short_length = byte_at(header, 1) & length_bits;
  const std::size_t extended = header.size() - 2 - mask_.size();
  left_ = extended == 0 ? short_length : big_endian(header.substr(2, extended));
  header.substr(2 + extended).copy(mask_.data(), mask_.size());
  mask_at_ = 0;
  opcode_ = static_cast<Opcode>(first & opcode_bits);
  const bool final = (first & final_bit) != 0;
  const auto wrong = [&](BytesView why) { return fail(CloseCode::protocol_error, why, answer); };
  if ((first & reserved_bits) != 0) return wrong("a reserved bit is set");
  const bool minimal = extended == 0 || left_ > (extended == 2 ? 125u : 0xffffu);
  if (!minimal || left_ >> 63 != 0) return wrong("a length is malformed");
  switch (opcode_) {
    case Opcode::text: return fail(CloseCode::unsupported_data, "a frame holds text", answer);
    case Opcode::binary:
    case Opcode::more:
      if (in_message_ != (opcode_ == Opcode::more)) return wrong("a fragment is out of order");
      if (left_ > limits::packet_bytes)
        return fail(CloseCode::too_large, "a frame is too large", answer);
      in_message_ = !final;
      break;
    case Opcode::close:
    case Opcode::ping:
    case Opcode::pong:
      if (!final || left_ > control_bytes_most) return wrong("a control frame is malformed");
      control_.clear();
      break;
    default: return wrong("a frame's kind is unknown");
  }
  in_payload_ = true;
  return true;
}

void WebsocketDecoder::take_payload(BytesView& wire, Bytes& data) {
  Bytes& out = is_control() ? control_ : data;
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(wire.size(), left_));
  const std::size_t start = out.size();
  out.append(wire.substr(0, n));
  for (std::size_t i = 0; i < n; ++i) {
    out[start + i] = static_cast<char>(out[start + i] ^ mask_[(mask_at_ + i) & 3]);
  }
  mask_at_ = static_cast<std::uint8_t>((mask_at_ + n) & 3);
  wire.remove_prefix(n);
  left_ -= n;
}

bool WebsocketDecoder::end_control(Bytes& answer) {
  if (opcode_ == Opcode::ping) {
    append_header(final_bit | static_cast<std::uint8_t>(Opcode::pong), control_.size(), answer);
    answer.append(control_);
  }
  if (opcode_ != Opcode::close) return true;
  if (control_.empty()) {
    append_close_frame(CloseCode::normal, answer);
  } else {
    const std::uint64_t code = big_endian(BytesView{control_}.substr(0, 2));
    if (control_.size() == 1 || !may_be_said(code)) {
      return fail(CloseCode::protocol_error, "a close frame is malformed", answer);
    }
    if (!mqtt::valid_utf8(BytesView{control_}.substr(2))) {
      return fail(CloseCode::invalid_payload, "the reason of a close frame is no UTF-8", answer);
    }
    append_close_frame(static_cast<CloseCode>(code), answer);
  }
  over_ = true;
  return false;
}

bool WebsocketDecoder::fail(CloseCode code, BytesView why, Bytes& answer) {
  over_ = true;
  failure_ = why;
  append_close_frame(code, answer);
  return false;
}

}  // namespace naru::transport

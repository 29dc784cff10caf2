#include "broker/http/base64.hpp"

#include <cstdint>

namespace naru::broker {

namespace {

constexpr BytesView standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr BytesView url_safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

Bytes encode(BytesView bytes, BytesView alphabet) {
  Bytes text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<std::uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) text.push_back(alphabet[bits >> (count - 6) & 63]);
  }
  if (count != 0) text.push_back(alphabet[bits << (6 - count) & 63]);
  return text;
}

}  // namespace

Bytes encode_base64(BytesView bytes) {
  Bytes text = encode(bytes, standard);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

Bytes encode_base64url(BytesView bytes) { return encode(bytes, url_safe); }

std::optional<Bytes> decode_base64url(BytesView text) {
  Bytes bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t value = url_safe.find(c);
    if (value == BytesView::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  if (encode_base64url(bytes) != text) return std::nullopt;  // Stray bits at the end.
  return bytes;
}

}  // namespace naru::broker

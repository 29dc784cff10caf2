#include "storage/base/base64.hpp"

#include <array>
#include <cstdint>

namespace naru {

namespace {

constexpr BytesView standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr BytesView url_safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t no_value = 0xff;
using Values = std::array<std::uint8_t, 256>;  // By character.

constexpr Values values_of(BytesView alphabet) {
  Values values{};
  values.fill(no_value);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr Values standard_values = values_of(standard), url_safe_values = values_of(url_safe);

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

// Stray bits at the end and a last character that is half a byte are the caller's to find.
std::optional<Bytes> decode(BytesView text, const Values& values) {
  Bytes bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::uint8_t value = values[static_cast<std::uint8_t>(c)];
    if (value == no_value) return std::nullopt;
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return bytes;
}

}  // namespace

Bytes encode_base64(BytesView bytes) {
  Bytes text = encode(bytes, standard);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<Bytes> decode_base64(BytesView text) {
  BytesView digits = text;
  while (digits.ends_with('=')) digits.remove_suffix(1);
  auto bytes = decode(digits, standard_values);
  if (!bytes || encode_base64(*bytes) != text) return std::nullopt;
  return bytes;
}

Bytes encode_base64url(BytesView bytes) { return encode(bytes, url_safe); }

std::optional<Bytes> decode_base64url(BytesView text) {
  auto bytes = decode(text, url_safe_values);
  if (!bytes || encode_base64url(*bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace naru

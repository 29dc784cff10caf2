#include "broker/transport/proxy_header.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "storage/base/crc32c.hpp"
#include "storage/base/limits.hpp"

namespace naru::transport {

namespace {

using enum ProxyVerdict;

constexpr BytesView signature_1 = "PROXY ";
constexpr std::size_t line_bytes_most = 107;
constexpr BytesView signature_2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t head_bytes_2 = 16;

// False: these bytes can no longer become the signature.
bool may_begin(BytesView bytes, BytesView signature) {
  const std::size_t n = std::min(bytes.size(), signature.size());
  return bytes.substr(0, n) == signature.substr(0, n);
}

BytesView take_word(BytesView& text) {
  const BytesView word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

std::optional<std::uint16_t> port_of(BytesView word) {
  std::uint16_t port = 0;
  const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), port);
  if (failure != std::errc{} || stop != word.data() + word.size()) return std::nullopt;
  return port;
}

// As our own logs write an address; empty where the text is none.
Bytes canonical(int family, BytesView text) {
  in6_addr binary{};
  char out[INET6_ADDRSTRLEN] = {};
  const Bytes ended{text};
  if (::inet_pton(family, ended.c_str(), &binary) != 1) return {};
  ::inet_ntop(family, &binary, out, sizeof out);
  return out;
}

// PROXY TCP4 SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT, or PROXY UNKNOWN and anything.
ProxyVerdict decode_line(BytesView bytes, ProxyHeader& out) {
  if (!may_begin(bytes, signature_1)) return malformed;
  const auto end = bytes.substr(0, line_bytes_most).find("\r\n");
  if (end == BytesView::npos) return bytes.size() < line_bytes_most ? incomplete : malformed;
  out.size = end + 2;
  if (end < signature_1.size()) return malformed;
  BytesView line = bytes.substr(signature_1.size(), end - signature_1.size());
  const BytesView kind = take_word(line);
  if (kind == "UNKNOWN") return complete;
  if (kind != "TCP4" && kind != "TCP6") return malformed;
  const int family = kind == "TCP4" ? AF_INET : AF_INET6;
  const Bytes source = canonical(family, take_word(line));
  const Bytes destination = canonical(family, take_word(line));
  const auto port = port_of(take_word(line));
  if (source.empty() || destination.empty() || !port || !port_of(line)) return malformed;
  out.address = source + ':' + std::to_string(*port);
  return complete;
}

Bytes binary_address(int family, BytesView address, BytesView port) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, address.data(), text, sizeof text);
  const unsigned number = static_cast<unsigned>(static_cast<std::uint8_t>(port[0])) << 8 |
                          static_cast<std::uint8_t>(port[1]);
  return Bytes{text} + ':' + std::to_string(number);
}

// Type, length, value, to the end; a checksum among them has to be right.
bool are_extensions(BytesView whole, std::size_t from) {
  constexpr std::uint8_t checksum = 0x03;
  while (from < whole.size()) {
    if (whole.size() - from < 3) return false;
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(whole[from + at]); };
    const std::size_t length = std::size_t{byte(1)} << 8 | byte(2);
    if (whole.size() - from - 3 < length) return false;
    if (byte(0) == checksum) {
      if (length != 4) return false;
      std::uint32_t said = 0;
      for (std::size_t i = 3; i < 7; ++i) said = said << 8 | byte(i);
      Bytes zeroed{whole};
      std::fill_n(zeroed.begin() + static_cast<std::ptrdiff_t>(from) + 3, 4, '\0');
      if (crc32c(zeroed) != said) return false;
    }
    from += 3 + length;
  }
  return true;
}

ProxyVerdict decode_block(BytesView bytes, ProxyHeader& out) {
  if (!may_begin(bytes, signature_2)) return malformed;
  if (bytes.size() < head_bytes_2) return incomplete;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
  constexpr std::uint8_t local = 0x20, proxied = 0x21;
  const std::uint8_t command = byte(12), family = byte(13);
  const std::size_t length = std::size_t{byte(14)} << 8 | byte(15);
  if (command != local && command != proxied) return malformed;
  if (head_bytes_2 + length > limits::proxy_header_bytes) return malformed;
  if (bytes.size() < head_bytes_2 + length) return incomplete;
  out.size = head_bytes_2 + length;
  if (command == local) return complete;  // The balancer itself, looking whether we are well.
  constexpr std::uint8_t unknown = 0x00, tcp4 = 0x11, tcp6 = 0x21, unix_stream = 0x31;
  const std::size_t addresses = family == tcp4          ? 12
                                : family == tcp6        ? 36
                                : family == unix_stream ? 216
                                                        : 0;
  if ((addresses == 0 && family != unknown) || length < addresses) return malformed;
  // What an unknown family brings means nothing to us.
  if (family != unknown && !are_extensions(bytes.substr(0, out.size), head_bytes_2 + addresses)) {
    return malformed;
  }
  const BytesView body = bytes.substr(head_bytes_2);
  if (family == tcp4) out.address = binary_address(AF_INET, body, body.substr(8, 2));
  if (family == tcp6) out.address = binary_address(AF_INET6, body, body.substr(32, 2));
  if (family == unix_stream) out.address = "unix";
  return complete;
}

}  // namespace

ProxyVerdict decode_proxy_header(BytesView bytes, unsigned version, ProxyHeader& out) {
  out = {};
  return version == 1 ? decode_line(bytes, out) : decode_block(bytes, out);
}

}  // namespace naru::transport

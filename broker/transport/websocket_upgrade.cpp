#include "broker/transport/websocket_upgrade.hpp"

#include <algorithm>
#include <optional>

#include "storage/base/check.hpp"
#include "storage/base/limits.hpp"

namespace naru::transport {

namespace {

struct RefusalRow {
  UpgradeVerdict verdict;
  BytesView status;
  BytesView header;  // One more header line, or nothing.
  BytesView text;
};
using enum UpgradeVerdict;
// clang-format off
constexpr RefusalRow refusals[] = {
  {malformed,      "400 Bad Request", "", "this is no HTTP/1.1 request for a WebSocket"},
  {wrong_origin,   "403 Forbidden", "", "pages of this origin may not connect: see websockets_origin"},
  {wrong_method,   "405 Method Not Allowed", "Allow: GET\r\n", "a WebSocket is asked for with GET"},
  {wrong_protocol, "400 Bad Request", "", "the client must offer the subprotocol mqtt or mqttv3.1"},
  {no_upgrade,     "426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "here MQTT over WebSocket is spoken, version 13"},
  {too_large,      "431 Request Header Fields Too Large", "", "the request is too large"},
};
// clang-format on
constexpr BytesView subprotocols[] = {"mqtt", "mqttv3.1"};

const RefusalRow& row_of(UpgradeVerdict verdict) {
  const auto* const row = std::ranges::find(refusals, verdict, &RefusalRow::verdict);
  NARU_CHECK(row != std::end(refusals));
  return *row;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_word(BytesView a, BytesView b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

BytesView trimmed(BytesView text) {
  const auto first = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

BytesView take_until(BytesView& text, BytesView end) {
  const BytesView taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(taken.size() + end.size(), text.size()));
  return taken;
}

// Whether one of the words between commas is this one.
bool lists(BytesView words, BytesView word) {
  while (!words.empty()) {
    if (same_word(trimmed(take_until(words, ",")), word)) return true;
  }
  return false;
}

// The headers that count; a list may be spread over several lines, the others stand once.
struct Headers {
  Bytes upgrade, connection, protocols;
  std::optional<BytesView> host, version, key, origin;
};

bool set_once(std::optional<BytesView>& header, BytesView value) {
  if (header) return false;
  header = value;
  return true;
}

bool take_header(BytesView line, Headers& headers) {
  const auto colon = line.find(':');
  if (colon == BytesView::npos || colon == 0) return false;
  const BytesView name = line.substr(0, colon);
  if (name.find_first_of(" \t") != BytesView::npos) return false;
  const BytesView value = trimmed(line.substr(colon + 1));
  const auto is = [name](BytesView wanted) { return same_word(name, wanted); };
  if (is("Host")) return set_once(headers.host, value);
  if (is("Sec-WebSocket-Version")) return set_once(headers.version, value);
  if (is("Sec-WebSocket-Key")) return set_once(headers.key, value);
  if (is("Origin")) return set_once(headers.origin, value);
  Bytes* const list = is("Upgrade")                  ? &headers.upgrade
                      : is("Connection")             ? &headers.connection
                      : is("Sec-WebSocket-Protocol") ? &headers.protocols
                                                     : nullptr;
  if (list != nullptr) list->append(value).append(",");
  return true;
}

// base64 of 16 bytes.
bool is_key(BytesView key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, [](char c) {
           return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
                  c == '/';
         });
}

UpgradeVerdict judge(const Headers& headers, const std::vector<Bytes>& origins,
                     UpgradeRequest& out) {
  if (!lists(headers.upgrade, "websocket") || !lists(headers.connection, "upgrade") ||
      headers.version != "13") {
    return no_upgrade;
  }
  if (!headers.host || !headers.key || !is_key(*headers.key)) return malformed;
  const bool may_ask =
      headers.origin && std::ranges::find(origins, *headers.origin) != origins.end();
  if (!origins.empty() && !may_ask) return wrong_origin;
  const auto* const chosen = std::ranges::find_if(
      subprotocols, [&](BytesView each) { return lists(headers.protocols, each); });
  if (chosen == std::end(subprotocols)) return wrong_protocol;
  out.key = *headers.key;
  out.subprotocol = *chosen;
  return accepted;
}

}  // namespace

UpgradeVerdict decode_upgrade(BytesView bytes, const std::vector<Bytes>& origins,
                              UpgradeRequest& out) {
  constexpr BytesView end_of_head = "\r\n\r\n";
  const auto end = bytes.substr(0, limits::upgrade_bytes).find(end_of_head);
  if (end == BytesView::npos) {
    if (bytes.size() >= limits::upgrade_bytes) return too_large;
    // What does not begin with a method is not waited for to become a request.
    const auto is_letter = [](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; };
    const BytesView method = bytes.substr(0, bytes.find(' '));
    return std::ranges::all_of(method, is_letter) ? incomplete : malformed;
  }
  out.size = end + end_of_head.size();
  BytesView head = bytes.substr(0, end);
  BytesView request = take_until(head, "\r\n");
  const BytesView method = take_until(request, " ");
  const BytesView path = take_until(request, " ");
  if (!request.starts_with("HTTP/1.1") || request.size() != 8 || path.empty()) return malformed;
  if (method != "GET") return wrong_method;
  Headers headers;
  while (!head.empty()) {
    if (!take_header(take_until(head, "\r\n"), headers)) return malformed;
  }
  return judge(headers, origins, out);
}

Bytes upgrade_reply(BytesView accept, BytesView subprotocol) {
  Bytes reply = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  reply.append("Sec-WebSocket-Accept: ").append(accept).append("\r\n");
  reply.append("Sec-WebSocket-Protocol: ").append(subprotocol).append("\r\n\r\n");
  return reply;
}

Bytes upgrade_refusal(UpgradeVerdict verdict) {
  const RefusalRow& row = row_of(verdict);
  Bytes reply = "HTTP/1.1 ";
  reply.append(row.status).append("\r\n").append(row.header);
  reply.append("Connection: close\r\nContent-Type: text/plain\r\nContent-Length: ");
  reply.append(std::to_string(row.text.size() + 1)).append("\r\n\r\n");
  return reply.append(row.text).append("\n");
}

BytesView text_of(UpgradeVerdict verdict) { return row_of(verdict).text; }

}  // namespace naru::transport

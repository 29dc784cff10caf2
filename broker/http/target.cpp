#include "broker/http/target.hpp"

#include <optional>

namespace naru::broker {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus { plus, blank };

std::optional<Bytes> decode(BytesView text, Plus plus) {
  Bytes decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::blank) {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return decoded;
}

// The text before the separator; `rest` goes on behind it.
BytesView take_until(BytesView& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const BytesView taken = rest.substr(0, at);
  rest = at == BytesView::npos ? BytesView{} : rest.substr(at + 1);
  return taken;
}

Error bad_escape(BytesView target) {
  return {Errc::invalid, "'" + Bytes{target} + "': '%' must be followed by two hex digits"};
}

}  // namespace

Result<Target> parse_target(BytesView target) {
  BytesView rest = target;
  if (rest.starts_with("http://")) {
    const std::size_t path = rest.find('/', 7);
    rest = path == BytesView::npos ? BytesView{"/"} : rest.substr(path);
  }
  if (!rest.starts_with('/')) {
    return Error{Errc::invalid, "'" + Bytes{target} + "' is no path; it must begin with '/'"};
  }
  rest.remove_prefix(1);
  rest = rest.substr(0, rest.find('#'));
  BytesView path = take_until(rest, '?');
  Target parsed;
  for (bool more = !path.empty(); more;) {
    more = path.find('/') != BytesView::npos;
    auto segment = decode(take_until(path, '/'), Plus::plus);
    if (!segment) return bad_escape(target);
    parsed.path.push_back(std::move(*segment));
  }
  while (!rest.empty()) {
    BytesView value = take_until(rest, '&');
    if (value.empty()) continue;
    auto name = decode(take_until(value, '='), Plus::blank);
    auto decoded = decode(value, Plus::blank);
    if (!name || !decoded) return bad_escape(target);
    parsed.query.insert_or_assign(std::move(*name), std::move(*decoded));
  }
  return parsed;
}

}  // namespace naru::broker

// broker/mqtt/topics.cpp: one pass over a string checks UTF-8 and wildcards together. Topics are
// nearly always ASCII, so eight bytes are judged at a time and only others go one by one.

#include "broker/mqtt/topics.hpp"

#include <cstdint>
#include <cstring>

namespace naru::mqtt {
namespace {

enum class Wildcards : bool { allowed, forbidden };

constexpr std::uint64_t each_byte(std::uint8_t value) { return 0x0101010101010101u * value; }

// Not zero exactly when one of the eight bytes is zero.
constexpr std::uint64_t zero_byte(std::uint64_t word) {
  return (word - each_byte(0x01)) & ~word & each_byte(0x80);
}

template <Wildcards wildcards>
bool has_forbidden(std::uint64_t word) {
  std::uint64_t found = zero_byte(word);
  if constexpr (wildcards == Wildcards::forbidden) {
    found |= zero_byte(word ^ each_byte('+')) | zero_byte(word ^ each_byte('#'));
  }
  return found != 0;
}

bool all_ascii(std::uint64_t word) { return (word & each_byte(0x80)) == 0; }

template <class Word>
Word load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

std::uint8_t byte_at(const char* at) { return static_cast<std::uint8_t>(*at); }

// Moves behind one character of two to four bytes; nullptr if it is not well-formed. The second
// byte's range is what excludes overlong forms, surrogates and numbers beyond U+10FFFF.
const char* skip_multibyte(const char* at, const char* end) {
  const std::uint8_t lead = byte_at(at);
  std::uint8_t low = 0x80, high = 0xbf;
  std::ptrdiff_t size = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  }
  if (size == 0 || end - at < size) return nullptr;
  if (byte_at(at + 1) < low || byte_at(at + 1) > high) return nullptr;
  for (std::ptrdiff_t i = 2; i < size; ++i) {
    if ((byte_at(at + i) & 0xc0) != 0x80) return nullptr;
  }
  return at + size;
}

template <Wildcards wildcards>
const char* skip_character(const char* at, const char* end) {
  const char c = *at;
  if (static_cast<std::uint8_t>(c) >= 0x80) return skip_multibyte(at, end);
  if (c == '\0') return nullptr;
  if (wildcards == Wildcards::forbidden && (c == '+' || c == '#')) return nullptr;
  return at + 1;
}

template <Wildcards wildcards>
bool well_formed(BytesView text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (end - at >= 8) {
    const auto word = load<std::uint64_t>(at);
    if (has_forbidden<wildcards>(word)) return false;
    const char* const stop = at + 8;
    if (all_ascii(word)) {
      at = stop;
      continue;
    }
    while (at < stop) {
      at = skip_character<wildcards>(at, end);
      if (at == nullptr) return false;
    }
  }
  // What is left is shorter than a word: look at the last word again, or at two halves.
  if (at < end && text.size() >= 4) {
    const std::uint64_t last = text.size() >= 8 ? load<std::uint64_t>(end - 8)
                                                : std::uint64_t{load<std::uint32_t>(at)} << 32 |
                                                      load<std::uint32_t>(end - 4);
    if (all_ascii(last)) return !has_forbidden<wildcards>(last);
  }
  while (at < end) {
    at = skip_character<wildcards>(at, end);
    if (at == nullptr) return false;
  }
  return true;
}

// Each wildcard fills its level, and '#' is the last level.
bool wildcards_in_place(BytesView filter) {
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const char c = filter[i];
    if (c != '+' && c != '#') continue;
    if (i > 0 && filter[i - 1] != '/') return false;
    if (i + 1 == filter.size()) return true;
    if (c == '#' || filter[i + 1] != '/') return false;
  }
  return true;
}

// Hands out the levels of a topic or filter; the empty string is one empty level.
class Levels {
 public:
  explicit Levels(BytesView text) : rest_(text) {}

  bool more() const { return more_; }
  BytesView next() {
    const std::size_t slash = rest_.find('/');
    const BytesView level = rest_.substr(0, slash);
    more_ = slash != BytesView::npos;
    rest_.remove_prefix(more_ ? slash + 1 : rest_.size());
    return level;
  }

 private:
  BytesView rest_;
  bool more_ = true;
};

}  // namespace

bool valid_utf8(BytesView text) {
  return text.size() <= string_size_limit && well_formed<Wildcards::allowed>(text);
}

bool valid_topic(BytesView topic) {
  return !topic.empty() && topic.size() <= string_size_limit &&
         well_formed<Wildcards::forbidden>(topic);
}

bool valid_filter(BytesView filter) {
  if (filter.empty() || !valid_utf8(filter)) return false;
  if (!is_shared(filter)) return wildcards_in_place(filter);
  const auto shared = parse_shared(filter);
  return shared && shared->group.find_first_of("+#") == BytesView::npos &&
         wildcards_in_place(shared->filter);
}

std::optional<SharedFilter> parse_shared(BytesView filter) {
  if (!is_shared(filter)) return std::nullopt;
  filter.remove_prefix(share_prefix.size());
  const std::size_t slash = filter.find('/');
  if (slash == 0 || slash == BytesView::npos || slash + 1 == filter.size()) return std::nullopt;
  return SharedFilter{filter.substr(0, slash), filter.substr(slash + 1)};
}

bool filter_matches(BytesView filter, BytesView topic) {
  if (const auto shared = parse_shared(filter)) filter = shared->filter;
  // Topics of the server's own are found only by naming their first level.
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;

  Levels wanted{filter}, given{topic};
  while (wanted.more() && given.more()) {
    const BytesView level = wanted.next();
    if (level == "#") return true;
    const BytesView name = given.next();
    if (level != "+" && level != name) return false;
  }
  if (given.more()) return false;
  // "a/#" also means "a" itself.
  return !wanted.more() || wanted.next() == "#";
}

}  // namespace naru::mqtt

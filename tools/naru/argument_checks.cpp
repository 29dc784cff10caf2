// tools/naru/argument_checks.cpp
#include "tools/naru/argument_checks.hpp"

#include <cstdio>

#include "broker/mqtt/topics.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr std::size_t quoted_max = 80;

bool is_inner(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

std::string hex_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char escape[8];
    const auto byte = static_cast<unsigned char>(c);
    std::snprintf(escape, sizeof escape, byte < 0x80 ? "%c" : "\\x%02x", unsigned{byte});
    out += escape;
  }
  return out;
}

// Of what neither a topic nor a filter may be.
std::string fault_of_string(std::string_view text, const char* what) {
  if (text.size() > mqtt::string_size_limit) {
    return std::string{what} + " of " + std::to_string(text.size()) +
           " bytes is too long: " + in_quotes(text) + "; MQTT allows " +
           std::to_string(mqtt::string_size_limit);
  }
  if (!mqtt::valid_utf8(text)) return in_quotes(text) + " is not valid UTF-8";
  return {};
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::size_t size = std::min(text.size(), quoted_max);
  const bool whole = size == text.size();
  while (!whole && size > quoted_max - 4 && is_inner(text[size])) --size;
  const std::string_view part = text.substr(0, size);
  const std::string shown = printable(part);
  return "'" + (mqtt::valid_utf8(part) ? shown : hex_escaped(shown)) + (whole ? "'" : "...'");
}

std::string fault_of_topic(std::string_view topic) {
  const std::string fault = fault_of_string(topic, "a topic");
  if (!fault.empty() || mqtt::valid_topic(topic)) return fault;
  return in_quotes(topic) +
         " cannot be published to: a topic is not empty and has no wildcards (+, #)";
}

std::string fault_of_filter(std::string_view filter) {
  const std::string fault = fault_of_string(filter, "a filter");
  if (!fault.empty() || mqtt::valid_filter(filter)) return fault;
  return in_quotes(filter) + " is not a filter: + and # stand for whole levels, # only at the end";
}

std::string to_seconds(std::string& text, std::uint64_t least, std::uint64_t most) {
  const auto duration = parse_duration(text);
  const auto millis = duration ? static_cast<std::uint64_t>(duration->count()) : 0;
  if (!duration || millis % 1000 != 0 || millis / 1000 < least || millis / 1000 > most) {
    return in_quotes(text) + " is not whole seconds from " + std::to_string(least) + " to " +
           std::to_string(most) + ": use a number, or a duration such as 90s or 15m";
  }
  text = std::to_string(millis / 1000);
  return {};
}

}  // namespace naru::tools

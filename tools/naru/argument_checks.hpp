// tools/naru/argument_checks.hpp
//
// Checks of arguments that several commands share, and what is said of those that are wrong. As
// CLI11 wants them they return the text of the error, or nothing.
//
// Sans-IO. Lives anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace naru::tools {

// An unset variable of a script makes an empty argument, which is never meant.
inline std::string refuse_empty(const std::string& text) {
  return text.empty() ? "must not be empty" : "";
}

// In quotes, printable, and cut where it is long.
std::string in_quotes(std::string_view text);

// Why this is nothing to publish to, or to subscribe to; empty where it is.
std::string fault_of_topic(std::string_view topic);
std::string fault_of_filter(std::string_view filter);

// Makes whole seconds of a number or a duration such as 15m; says the range where it is none of it.
std::string to_seconds(std::string& text, std::uint64_t least, std::uint64_t most);

}  // namespace naru::tools

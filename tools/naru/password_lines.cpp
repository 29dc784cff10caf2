// tools/naru/password_lines.cpp
#include "tools/naru/password_lines.hpp"

#include <optional>

namespace naru::tools {
namespace {

struct Range {
  std::size_t begin;
  std::size_t end;  // Behind the line's newline, if it has one.
};

std::optional<Range> find_line(std::string_view text, std::string_view user) {
  const std::string start = std::string{user} + ":";
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t newline = text.find('\n', begin);
    const std::size_t end = newline == std::string_view::npos ? text.size() : newline + 1;
    if (text.substr(begin).starts_with(start)) return Range{begin, end};
    begin = end;
  }
  return std::nullopt;
}

}  // namespace

void set_user(std::string& text, std::string_view user, std::string_view line) {
  const std::string whole = std::string{line} + "\n";
  if (const auto found = find_line(text, user)) {
    text.replace(found->begin, found->end - found->begin, whole);
    return;
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += whole;
}

bool remove_user(std::string& text, std::string_view user) {
  const auto found = find_line(text, user);
  if (!found) return false;
  text.erase(found->begin, found->end - found->begin);
  return true;
}

}  // namespace naru::tools

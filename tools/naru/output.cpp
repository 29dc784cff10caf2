// tools/naru/output.cpp
#include "tools/naru/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <unistd.h>

namespace naru::tools {
namespace {

int write_error = 0;  // Of the first write that failed.

// Columns line up by characters, not by bytes: continuation bytes of UTF-8 take no room.
std::size_t width(std::string_view text) {
  const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts));
}

void append_aligned(std::string& out, const Table::Row& row,
                    const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    out += row[i];
    if (i + 1 < row.size()) out.append(widths[i] - width(row[i]) + 2, ' ');
  }
  out += '\n';
}

}  // namespace

Shape output_shape(bool json) {
  if (json) return Shape::json;
  return isatty(STDOUT_FILENO) == 1 ? Shape::aligned : Shape::tabs;
}

std::string Table::text(Shape shape) const {
  if (shape == Shape::aligned) return aligned();
  std::string out;
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += '\t';
      out += row[i];
    }
    out += '\n';
  }
  return out;
}

std::string Table::aligned() const {
  std::vector<std::size_t> widths;
  for (const std::string& title : header_) widths.push_back(width(title));
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  if (!header_.front().empty()) append_aligned(out, header_, widths);
  for (const Row& row : rows_) append_aligned(out, row, widths);
  return out;
}

bool print(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written && write_error == 0) write_error = errno;
  return written;
}

bool print_json(const Json& value) {
  return print(value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<void> written_out() {
  if (write_error == 0 || write_error == EPIPE) return {};
  return Error{Errc::io,
               std::string{"the output cannot be written: "} + std::strerror(write_error)};
}

void print_error(std::string_view text) {
  std::fprintf(stderr, "naru: %.*s\n", static_cast<int>(text.size()), text.data());
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(byte));
      out += escape;
    }
  }
  return out;
}

std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return printable(value.get_ref<const std::string&>());
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json find_member(const Json& value, std::string_view path) {
  const std::size_t dot = path.find('.');
  const std::string name{path.substr(0, dot)};
  if (!value.is_object() || !value.contains(name)) return nullptr;
  if (dot == std::string_view::npos) return value[name];
  return find_member(value[name], path.substr(dot + 1));
}

std::string member_cell(const Json& value, std::string_view path) {
  return cell(find_member(value, path));
}

void add_leaves(Table& table, const Json& value, const std::string& path) {
  if (!value.is_structured() || value.empty()) {
    table.add({path, cell(value)});
    return;
  }
  std::size_t index = 0;
  for (const auto& [name, member] : value.items()) {
    const std::string step = value.is_array() ? std::to_string(index++) : name;
    add_leaves(table, member, path.empty() ? step : path + "." + step);
  }
}

}  // namespace naru::tools

// tools/naru/output.hpp
//
// What naru prints: a table aligned for a terminal, tab-separated lines for a pipe, or JSON.
//
// Edge: writes to stdout. Lives on the one thread of naru.
// Bounded by: a Table keeps all its rows until it is printed; long lists are printed in pages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "storage/base/result.hpp"

namespace naru::tools {

using Json = nlohmann::ordered_json;

enum class Shape : unsigned char { aligned, tabs, json };

// json when asked for; else aligned when stdout is a terminal, tabs when it is not.
Shape output_shape(bool json);

class Table {
 public:
  using Row = std::vector<std::string>;

  explicit Table(Row header) : header_(std::move(header)) {}
  // REQUIRES: as many cells as the header has.
  void add(Row row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  // The header is for people: it is printed only when aligned, and not when it is empty text.
  std::string text(Shape shape) const;

 private:
  std::string aligned() const;

  Row header_;
  std::vector<Row> rows_;
};

// Writes the text and flushes. False when nobody reads any more (a closed pipe), or it cannot be
// written.
bool print(std::string_view text);
bool print_json(const Json& value);  // One line.

// An error when something could not be written out; a closed pipe is none, its reader had enough.
Result<void> written_out();

void print_error(std::string_view text);  // "naru: ..." on stderr.

// Text in one cell: control characters become \n, \t, \xNN; UTF-8 stays.
std::string printable(std::string_view text);

// A JSON value in one cell: text without quotes, null as "-", everything else as JSON.
std::string cell(const Json& value);
// The member at a path such as "node.id"; null when it is not there.
Json find_member(const Json& value, std::string_view path);
std::string member_cell(const Json& value, std::string_view path);

// All leaves of a value as rows "a.b.0", "text", for tab-separated output.
void add_leaves(Table& table, const Json& value, const std::string& path);

}  // namespace naru::tools

// storage/base/options.hpp
//
// An option is one row of a table: its key, where its value lives, type, default, bounds, unit and
// help. Parsing, checking, dumping and the reference page all walk the same rows, so they cannot
// disagree, and a new option is one new row.
//
// Sans-IO. Lives on any thread; rows are constants. Off the hot path: errors carry a sentence.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"

namespace naru {

enum class OptionType : std::uint8_t {
  boolean,   // true or false (1 and 0 as well)
  integer,   // decimal
  bytes,     // with k, M or G behind it: powers of 1024
  duration,  // with ms, s, m (minutes), h, d, w or y behind it; in milliseconds
  lifetime,  // with s, h, d, w, m (30 days, as mosquitto has it) or y; in milliseconds
  text,      // the rest of the line
  word,      // one of OptionSpec::words, by its number in that list
};

using OptionValue = std::variant<bool, std::int64_t, std::string>;

struct OptionSpec {
  std::string_view key;
  OptionType type = OptionType::text;
  std::string_view default_text = {};  // As in a file; empty: the option is not set.
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();  // Of durations: milliseconds.
  std::string_view unit = {};
  std::string_view words = {};  // Separated by single spaces, in the order of the enumerators.
  bool reloadable = false;
  bool secret = false;   // Never shown by dump.
  bool repeats = false;  // May stand more than once; each adds to a list.
  std::string_view help = {};
};

// Only the first word of `text` counts, except for OptionType::text, which takes all of it without
// the blanks around it. The error names key, value and what would be right.
Result<OptionValue> parse_option(const OptionSpec& spec, std::string_view text);
// The text that parse_option() reads back as the same value.
std::string format_option(const OptionSpec& spec, const OptionValue& value);
// The value of the default text. REQUIRES: it is valid (a test walks the tables).
OptionValue default_of(const OptionSpec& spec);
// Appends one `key value` line for each value; an option that is not set becomes a comment.
void append_option(std::string& out, const OptionSpec& spec,
                   const std::vector<OptionValue>& values);
// One row of the reference page's table, in Markdown.
std::string describe_option(const OptionSpec& spec);
// The key that was probably meant, or nothing where none is near.
std::string_view find_nearest(std::string_view key, const std::vector<std::string_view>& known);
// The blanks (space and tab) around it taken off.
std::string_view trim(std::string_view text);

template <class Target>
struct OptionRow {
  OptionSpec spec;
  void (*set)(Target&, const OptionValue&);
  std::vector<OptionValue> (*get)(const Target&);  // Empty: not set. More than one: a list.
};

namespace option_detail {

template <class Field>
void store(Field& field, const OptionValue& value) {
  if constexpr (requires { field.has_value(); }) {
    store(field.emplace(), value);
  } else if constexpr (requires { field.emplace_back(); }) {
    store(field.emplace_back(), value);
  } else if constexpr (requires { typename Field::period; }) {
    field = std::chrono::duration_cast<Field>(Millis{std::get<std::int64_t>(value)});
  } else if constexpr (std::is_same_v<Field, bool> || std::is_same_v<Field, std::string>) {
    field = std::get<Field>(value);
  } else {
    field = static_cast<Field>(std::get<std::int64_t>(value));
  }
}

template <class Field>
void load(const Field& field, std::vector<OptionValue>& out) {
  if constexpr (requires { field.has_value(); }) {
    if (field) load(*field, out);
  } else if constexpr (std::is_same_v<Field, std::string>) {
    if (!field.empty()) out.emplace_back(field);
  } else if constexpr (requires { field.begin(); }) {
    for (const auto& one : field) load(one, out);
  } else if constexpr (requires { typename Field::period; }) {
    out.emplace_back(std::int64_t{std::chrono::duration_cast<Millis>(field).count()});
  } else if constexpr (std::is_same_v<Field, bool>) {
    out.emplace_back(field);
  } else {
    out.emplace_back(static_cast<std::int64_t>(field));
  }
}

template <class Target, class Field>
Target target_of(Field Target::*);

}  // namespace option_detail

// A row whose value lives in a member: bool, integer, enum, std::string, a chrono duration, or a
// std::optional or std::vector of one of these.
template <auto member>
constexpr auto option(OptionSpec spec) {
  using Target = decltype(option_detail::target_of(member));
  return OptionRow<Target>{
      spec,
      [](Target& target, const OptionValue& value) { option_detail::store(target.*member, value); },
      [](const Target& target) {
        std::vector<OptionValue> values;
        option_detail::load(target.*member, values);
        return values;
      }};
}

// Lists stay as they are: a default would stand beside what a file says.
template <class Target, class Rows>
void set_defaults(Target& target, const Rows& rows) {
  for (const auto& row : rows) {
    const bool has_default = !row.spec.default_text.empty() && !row.spec.repeats;
    if (has_default) row.set(target, default_of(row.spec));
  }
}

template <class Rows>
auto find_option(const Rows& rows, std::string_view key) -> decltype(rows.data()) {
  for (const auto& row : rows) {
    if (row.spec.key == key) return &row;
  }
  return nullptr;
}

template <class Target, class Rows>
void dump_options(std::string& out, const Target& target, const Rows& rows) {
  for (const auto& row : rows) append_option(out, row.spec, row.get(target));
}

}  // namespace naru

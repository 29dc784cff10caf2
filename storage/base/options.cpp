// storage/base/options.cpp: one parser and one writer for every type of option value.

#include "storage/base/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "storage/base/check.hpp"

namespace naru {
namespace {

constexpr std::int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;

struct Unit {
  std::string_view suffix;
  std::int64_t factor;
};

// By falling factor: the writer takes the first that divides the value.
constexpr std::array byte_units = {Unit{"G", 1 << 30}, Unit{"M", 1 << 20}, Unit{"k", 1 << 10},
                                   Unit{"", 1}};
constexpr std::array duration_units = {Unit{"y", 365 * day}, Unit{"w", 7 * day}, Unit{"d", day},
                                       Unit{"h", hour},      Unit{"m", minute},  Unit{"s", second},
                                       Unit{"ms", 1}};
constexpr std::array lifetime_units = {Unit{"y", 365 * day}, Unit{"m", 30 * day},
                                       Unit{"w", 7 * day},   Unit{"d", day},
                                       Unit{"h", hour},      Unit{"s", second}};
constexpr std::array plain_units = {Unit{"", 1}};

std::span<const Unit> units_of(OptionType type) {
  switch (type) {
    case OptionType::bytes: return byte_units;
    case OptionType::duration: return duration_units;
    case OptionType::lifetime: return lifetime_units;
    case OptionType::boolean:
    case OptionType::integer:
    case OptionType::text:
    case OptionType::word: break;
  }
  return plain_units;
}

std::string_view first_word(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(' '), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find(' '));
}

std::vector<std::string_view> split_words(std::string_view words) {
  std::vector<std::string_view> list;
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    list.push_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return list;
}

std::string join(const std::vector<std::string_view>& words, std::string_view between) {
  std::string text;
  for (const auto word : words) {
    if (!text.empty()) text.append(between);
    text.append(word);
  }
  return text;
}

std::string write_number(const OptionSpec& spec, std::int64_t number) {
  if (number == 0) return "0";
  for (const Unit& unit : units_of(spec.type)) {
    if (number % unit.factor == 0) {
      return std::to_string(number / unit.factor).append(unit.suffix);
    }
  }
  return std::to_string(number);
}

bool has_maximum(const OptionSpec& spec) {
  return spec.max != std::numeric_limits<std::int64_t>::max();
}

std::string bounds_text(const OptionSpec& spec) {
  std::string text = write_number(spec, spec.min);
  text.append(has_maximum(spec) ? " to " + write_number(spec, spec.max) : " or more");
  if (!spec.unit.empty()) text.append(" ").append(spec.unit);
  return text;
}

std::string expected_text(const OptionSpec& spec) {
  switch (spec.type) {
    case OptionType::boolean: return "true or false";
    case OptionType::integer: return "a whole number, " + bounds_text(spec);
    case OptionType::bytes: return "a number of bytes such as 64k, 2M or 1G, " + bounds_text(spec);
    case OptionType::duration:
      return "a time such as 500ms, 10s, 5m, 48h, 7d, " + bounds_text(spec);
    case OptionType::lifetime: return "a time such as 36h, 14d, 2m (months) or 1y";
    case OptionType::text: return "some text";
    case OptionType::word: return "one of " + join(split_words(spec.words), ", ");
  }
  return {};
}

Error wrong_value(const OptionSpec& spec, std::string_view given) {
  std::string text{spec.key};
  if (given.empty()) {
    text.append(" has no value; expected ");
  } else if (spec.secret) {
    text.append(" has a wrong value; expected ");
  } else {
    text.append(" cannot be '").append(given).append("'; expected ");
  }
  return {Errc::invalid, text.append(expected_text(spec))};
}

// Digits, then a suffix that is in the list. Zero needs no suffix.
std::optional<std::int64_t> read_number(std::string_view word, std::span<const Unit> units) {
  std::int64_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, failure] = std::from_chars(word.data(), end, number);
  if (failure != std::errc{}) return std::nullopt;
  const std::string_view suffix{stop, static_cast<std::size_t>(end - stop)};
  if (suffix.empty() && number == 0) return 0;
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [&](const Unit& one) { return one.suffix == suffix; });
  if (unit == units.end()) return std::nullopt;
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / unit->factor;
  if (number > most || number < -most) return std::nullopt;
  return number * unit->factor;
}

// The digits a plain number begins with: mosquitto reads it with atoi(), which stops behind them.
// What multiplies elsewhere stays a mistake: 10k is not ten.
std::string_view digits_of(std::string_view word) {
  constexpr std::string_view multiplies = "kKmMgG";
  const auto end = word.find_first_not_of("0123456789", word.starts_with('-') ? 1 : 0);
  if (end == word.npos || multiplies.find(word[end]) != multiplies.npos) return word;
  return word.substr(0, end);
}

Result<OptionValue> parse_number(const OptionSpec& spec, std::string_view word) {
  const bool plain = spec.type == OptionType::integer;
  const auto number = read_number(plain ? digits_of(word) : word, units_of(spec.type));
  if (!number || *number < spec.min || *number > spec.max) return wrong_value(spec, word);
  return OptionValue{*number};
}

Result<OptionValue> parse_word(const OptionSpec& spec, std::string_view word) {
  const auto words = split_words(spec.words);
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return wrong_value(spec, word);
  return OptionValue{std::int64_t{found - words.begin()}};
}

// Insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

Result<OptionValue> parse_option(const OptionSpec& spec, std::string_view text) {
  const std::string_view word = first_word(text);
  switch (spec.type) {
    case OptionType::boolean:
      if (word == "true" || word == "1") return OptionValue{true};
      if (word == "false" || word == "0") return OptionValue{false};
      return wrong_value(spec, word);
    case OptionType::integer:
    case OptionType::bytes:
    case OptionType::duration:
    case OptionType::lifetime: return parse_number(spec, word);
    case OptionType::word: return parse_word(spec, word);
    case OptionType::text: break;
  }
  const std::string_view all = trim(text);
  if (all.empty()) return wrong_value(spec, all);
  return OptionValue{std::string{all}};
}

std::string format_option(const OptionSpec& spec, const OptionValue& value) {
  if (spec.secret) return "(hidden)";
  if (const bool* const flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* const text = std::get_if<std::string>(&value)) return *text;
  const std::int64_t number = std::get<std::int64_t>(value);
  if (spec.type != OptionType::word) return write_number(spec, number);
  const auto words = split_words(spec.words);
  NARU_CHECK(number >= 0 && static_cast<std::size_t>(number) < words.size());
  return std::string{words[static_cast<std::size_t>(number)]};
}

OptionValue default_of(const OptionSpec& spec) {
  const auto value = parse_option(spec, spec.default_text);
  NARU_CHECK(value.has_value());
  return *value;
}

void append_option(std::string& out, const OptionSpec& spec,
                   const std::vector<OptionValue>& values) {
  if (values.empty()) out.append("# ").append(spec.key).append(" (not set)\n");
  for (const OptionValue& value : values) {
    out.append(spec.key).append(" ").append(format_option(spec, value)).append("\n");
  }
}

std::string describe_option(const OptionSpec& spec) {
  std::string row = "| `";
  row.append(spec.key).append("` | ").append(expected_text(spec)).append(" | ");
  row.append(spec.default_text.empty() ? "not set" : spec.default_text).append(" | ");
  row.append(spec.reloadable ? "yes" : "no").append(" | ").append(spec.help);
  if (spec.repeats) row.append(" May stand more than once.");
  return row.append(" |\n");
}

std::string_view find_nearest(std::string_view key, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, key.size() / 4) + 1;
  for (const auto candidate : known) {
    const std::size_t distance = edit_distance(key, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace naru

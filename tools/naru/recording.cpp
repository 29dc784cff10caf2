// tools/naru/recording.cpp
#include "tools/naru/recording.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "storage/base/check.hpp"

namespace naru::tools {
namespace {

constexpr std::string_view track_column = "track_id";
constexpr double missing = std::numeric_limits<double>::quiet_NaN();

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\"";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return taken;
}

std::vector<std::string_view> split_cells(std::string_view line) {
  std::vector<std::string_view> cells;
  while (!line.empty()) cells.push_back(trim(take_until(line, ',')));
  return cells;
}

double to_number(std::string_view text) {
  double value = missing;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && std::isfinite(value) ? value : missing;
}

// Which cells of a line are signals, which one names the vehicle.
struct Columns {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  std::vector<std::size_t> cells;
  std::vector<std::string> signals;
  std::size_t track = none;
};

Columns read_header(std::string_view line) {
  Columns columns;
  const auto titles = split_cells(line);
  for (std::size_t i = 0; i < titles.size(); ++i) {
    std::string name = signal_name(titles[i]);
    if (name == track_column) columns.track = i;
    if (name.empty() || name == track_column) continue;
    while (std::count(columns.signals.begin(), columns.signals.end(), name) > 0) name += "_2";
    columns.cells.push_back(i);
    columns.signals.push_back(std::move(name));
  }
  return columns;
}

}  // namespace

Recording::Recording(std::string name, std::vector<std::string> signals)
    : name_(std::move(name)), signals_(std::move(signals)) {
  NARU_CHECK(!signals_.empty());
}

std::span<const double> Recording::row(std::size_t index) const {
  NARU_CHECK(index < rows());
  return std::span{values_}.subspan(index * signals_.size(), signals_.size());
}

void Recording::add_row(std::span<const double> values) {
  NARU_CHECK(values.size() == signals_.size());
  values_.insert(values_.end(), values.begin(), values.end());
}

Result<std::vector<Recording>> parse_recordings(std::string_view csv, const std::string& name) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (csv.starts_with(byte_order_mark)) csv.remove_prefix(byte_order_mark.size());
  const Columns columns = read_header(take_until(csv, '\n'));
  if (columns.signals.empty()) {
    return Error{Errc::invalid, name +
                                    ": the first line names no columns; a recording is CSV "
                                    "with a header and one row a second"};
  }
  std::vector<Recording> recordings;
  std::map<std::string, std::size_t, std::less<>> by_track;
  std::vector<double> values(columns.signals.size());
  while (!csv.empty()) {
    const auto cells = split_cells(take_until(csv, '\n'));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = columns.cells[i] < cells.size() ? to_number(cells[columns.cells[i]]) : missing;
    }
    if (std::all_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) continue;
    const std::string_view track = columns.track < cells.size() ? cells[columns.track] : "";
    const auto [at, added] = by_track.try_emplace(std::string{track}, recordings.size());
    if (added) {
      recordings.emplace_back(track.empty() ? name : name + "#" + at->first, columns.signals);
    }
    recordings[at->second].add_row(values);
  }
  if (recordings.empty()) {
    return Error{Errc::invalid, name + ": no row has a number in it"};
  }
  return recordings;
}

std::string signal_name(std::string_view title) {
  title = trim(title.substr(0, title.find('(')));
  std::string name;
  for (const char c : title) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (upper) {
      name += static_cast<char>(c - 'A' + 'a');
    } else if (word) {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name == "vehicle_speed" ? "speed" : name;
}

void append_number(std::string& json, double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  NARU_CHECK(error == std::errc{});
  json.append(text, end);
}

void append_signals(std::string& json, const Recording& recording, std::size_t row) {
  const auto values = recording.row(row);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    json += ",\"";
    json += recording.signals()[i];
    json += "\":";
    append_number(json, values[i]);
  }
}

}  // namespace naru::tools

// tools/naru/recording.hpp
//
// Recording is a drive that was written down: one row a second, one number per signal.
//
// Sans-IO: text in, numbers out. Lives on any thread; a value, shared read-only by the vehicles.
// Bounded by: the text it was read from.
//
// Real files are untidy. Names carry units (`ENGINE_RPM ()`), rows may end in a comma, lines in
// CRLF; cells may be empty or text. What is not a number is left out of its row.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.hpp"

namespace naru::tools {

class Recording {
 public:
  Recording(std::string name, std::vector<std::string> signals);

  const std::string& name() const { return name_; }
  const std::vector<std::string>& signals() const { return signals_; }
  std::size_t rows() const { return values_.size() / signals_.size(); }
  // REQUIRES: index < rows(). NaN where the row had no number.
  std::span<const double> row(std::size_t index) const;
  // REQUIRES: as many values as there are signals.
  void add_row(std::span<const double> values);

 private:
  std::string name_;
  std::vector<std::string> signals_;  // At least one.
  std::vector<double> values_;        // Row by row.
};

// One recording for a file of one vehicle; one for each id when there is a column `track_id`.
Result<std::vector<Recording>> parse_recordings(std::string_view csv, const std::string& name);

// A column's title as a name in JSON: `ENGINE_RPM ()` is engine_rpm, `VEHICLE_SPEED ()` is speed.
std::string signal_name(std::string_view title);

// Appends `,"name":value` for each number of the row.
void append_signals(std::string& json, const Recording& recording, std::size_t row);

void append_number(std::string& json, double value);

}  // namespace naru::tools

// broker/auth/text_file.hpp
//
// read_text reads a file of the operator's whole; faults_of_lines walks its lines and gathers what
// is wrong with them, so that one look shows all of it.
//
// Edge in read_text, which reads a disk; the rest is sans-IO. Any thread, at start and at a reload.
// Bounded by: the size the caller allows.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "storage/base/result.hpp"

namespace naru::broker {

// An error is an Errc::io that says why and what to do, without the path.
Result<std::string> read_text(const std::string& path, std::size_t most);

// Calls take(line, number) with each line, without what ends it; a text that comes back is a fault
// of that line. Returns all of them as "name:number: fault", one below the other.
template <class Take>
std::string faults_of_lines(std::string_view text, const std::string& name, Take&& take) {
  std::string faults;
  for (unsigned number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    while (line.ends_with('\r')) line.remove_suffix(1);
    const std::string fault = take(line, number);
    if (fault.empty()) continue;
    if (!faults.empty()) faults.append("\n");
    faults.append(name).append(":").append(std::to_string(number)).append(": ").append(fault);
  }
  return faults;
}

}  // namespace naru::broker

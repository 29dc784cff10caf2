// broker/app/config_file.hpp
//
// Reads a configuration in mosquitto.conf's syntax and finds all that is wrong with it at once.
// A key belongs to its section first, else it is global, else it is an error; a key of mosquitto's
// that we do not act upon is a notice where that is harmless and an error where it protects.
//
// parse_config is sans-IO; the others read files (edge). Called at start and at a reload.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/app/config.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

struct Problem {
  enum class Kind : std::uint8_t { error, notice };
  Kind kind = Kind::error;
  std::string file;
  unsigned line = 0;  // 0: the file as a whole.
  std::string text;   // What, and what to do.

  bool operator==(const Problem&) const = default;
};

// "/etc/naru.conf:12: error: ..."
std::string to_string(const Problem& problem);

struct ConfigOutcome {
  Config config;  // Usable only where ok().
  std::vector<Problem> problems;

  // No error; there may be notices.
  bool ok() const {
    return std::none_of(problems.begin(), problems.end(), [](const Problem& problem) {
      return problem.kind == Problem::Kind::error;
    });
  }
};

struct SourceFile {
  std::string name;
  std::string text;
};

// What include_dir asks for: the files of a directory whose names end in .conf, by name as
// mosquitto sorts: upper and lower case together.
using ReadDirectory = std::function<Result<std::vector<SourceFile>>(const std::string& directory)>;

Result<std::vector<SourceFile>> read_directory(const std::string& directory);
Result<SourceFile> read_source(const std::string& path);

// False: this log_dest is one of mosquitto's that becomes stderr.
bool goes_as_said(std::string_view log_dest);

// An empty text is a valid configuration: one listener on 1883 that only this machine reaches.
ConfigOutcome parse_config(const SourceFile& file, const ReadDirectory& read = read_directory);
ConfigOutcome load_config(const std::string& path);

}  // namespace naru::broker

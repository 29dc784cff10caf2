// What log_dest and log_type ask for.

#include <algorithm>
#include <array>

#include "broker/app/config_file.hpp"

namespace naru::broker {

namespace {

// By LogType.
constexpr Severity severities[] = {
    Severity::off,  Severity::error, Severity::warning, Severity::notice,
    Severity::info, Severity::debug, Severity::info,    Severity::info,
    Severity::info, Severity::info,  Severity::debug,
};

// Behind it mosquitto reads on for a file only.
std::string_view word_of(std::string_view dest) { return dest.substr(0, dest.find(' ')); }

}  // namespace

bool goes_as_said(std::string_view log_dest) {
  const std::string_view word = word_of(log_dest);
  return word != "syslog" && word != "topic";
}

LogOptions log_options(const Config& config) {
  LogOptions options{.level = Severity::off, .to_stderr = false, .file = {}};
  for (const LogType type : config.log_type) {
    options.level = std::min(options.level, severities[static_cast<std::size_t>(type)]);
  }
  constexpr std::string_view file = "file ";
  for (const std::string& dest : config.log_dest) {
    if (dest.starts_with(file)) {
      options.file = trim(std::string_view{dest}.substr(file.size()));
    } else if (word_of(dest) != "none") {
      options.to_stderr = true;
    }
  }
  return options;
}

}  // namespace naru::broker

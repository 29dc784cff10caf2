// storage/base/log.hpp
//
// The log: one line an event, the event's name and fields behind it as key=value. Nothing else is
// formatted, so a line can be searched, and what a client chose cannot forge another line.
// storage/base/rate_limit.hpp keeps hostile input from filling it.
//
// Edge (spdlog stays in log.cpp); cores do not log, they report to an edge that does. Any thread.
// A value is cut at limits::log_value_bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "storage/base/result.hpp"

namespace naru {

enum class Severity : std::uint8_t {
  debug,
  info,
  notice,   // worth a look once: a start, a limit set, a file read again
  warning,  // something was refused or is near a limit
  error,    // something was lost or does not work
  off,      // only as a level: nothing is written
};

// A key and a borrowed value; lives as long as the call it is written in.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  LogField(std::string_view key, const std::string& value)
      : LogField(key, std::string_view{value}) {}
  LogField(std::string_view key, const char* value) : LogField(key, std::string_view{value}) {}
  LogField(std::string_view key, bool value) : LogField(key, value ? "true" : "false") {}
  LogField(std::string_view key, double value) : key_(key), value_(value) {}
  template <std::signed_integral T>
  LogField(std::string_view key, T value) : key_(key), value_(std::int64_t{value}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view key, T value)
      : key_(key), value_(std::uint64_t{value}) {}

  void append_to(std::string& line) const;

 private:
  std::string_view key_;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double> value_;
};

struct LogOptions {
  Severity level = Severity::info;
  bool to_stderr = true;
  std::string file;  // Appended to; empty: none.

  bool operator==(const LogOptions&) const = default;
};

// Before it is called, everything from info up goes to stderr. Calling it again (a reload, or a
// rotated file) opens the file anew. On an error the old outlets stay.
Result<void> open_log(const LogOptions& options);
void set_log_level(Severity level);
// What has been logged is on its way to disk when this returns.
void flush_log();

// False: log() with this severity does nothing. For callers whose fields cost something.
bool is_logged(Severity severity);
// log(Severity::notice, "listener_open", {{"address", address}, {"port", port}});
void log(Severity severity, std::string_view event, std::initializer_list<LogField> fields = {});
// The text of a line behind its time and severity.
std::string format_event(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace naru

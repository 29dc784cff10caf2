// storage/base/log.cpp: the only file that knows spdlog.

#include "storage/base/log.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "storage/base/limits.hpp"

namespace naru {
namespace {

// systemd sets this when stderr is its journal, which has its own clock and reads <N> as severity.
bool stderr_is_journal() {
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr && isatty(2) == 0;
  return journal;
}

struct SeverityRow {
  spdlog::level::level_enum level;
  std::string_view name;
  std::string_view journal_prefix;
};
constexpr SeverityRow severity_rows[] = {
    {spdlog::level::debug, "debug", "<7>"}, {spdlog::level::info, "info", "<6>"},
    {spdlog::level::info, "notice", "<5>"}, {spdlog::level::warn, "warning", "<4>"},
    {spdlog::level::err, "error", "<3>"},
};

constexpr std::string_view dated_pattern = "%Y-%m-%dT%H:%M:%S.%e%z %v";

std::shared_ptr<spdlog::logger> make_logger(bool to_stderr, const std::string& file) {
  auto logger = std::make_shared<spdlog::logger>("naru");
  if (!file.empty()) {
    logger->sinks().push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
  }
  if (to_stderr) logger->sinks().push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern(std::string{dated_pattern});
  // Without a file nothing but the journal reads the lines: it wants the prefix in front.
  if (file.empty() && to_stderr && stderr_is_journal()) logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::warn);
  return logger;
}

// The outlets may be exchanged while other threads log: each call holds its own reference.
class Outlet {
 public:
  std::shared_ptr<spdlog::logger> logger() {
    const std::lock_guard lock{mutex_};
    if (!logger_) logger_ = make_logger(true, {});
    return logger_;
  }
  void exchange(std::shared_ptr<spdlog::logger> logger, bool journal_only) {
    const std::lock_guard lock{mutex_};
    logger_ = std::move(logger);
    journal_only_ = journal_only;
  }
  bool journal_only() const { return journal_only_; }

  std::atomic<Severity> level{Severity::info};

 private:
  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;
  std::atomic<bool> journal_only_{stderr_is_journal()};
};

Outlet& outlet() {
  static Outlet only;
  return only;
}

bool is_plain(char c) { return c > ' ' && c < 127 && c != '"' && c != '=' && c != '\\'; }

void append_escaped(std::string& line, char c) {
  constexpr char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    line.push_back('\\');
    line.push_back(c);
  } else if (byte < 0x20 || byte == 0x7f) {
    line.append("\\x");
    line.push_back(digits[byte >> 4]);
    line.push_back(digits[byte & 0xf]);
  } else {
    line.push_back(c);
  }
}

void append_text(std::string& line, std::string_view text) {
  const bool cut = text.size() > limits::log_value_bytes;
  if (cut) text = text.substr(0, limits::log_value_bytes);
  bool plain = !text.empty() && !cut;
  for (const char c : text) plain = plain && is_plain(c);
  if (plain) {
    line.append(text);
    return;
  }
  line.push_back('"');
  for (const char c : text) append_escaped(line, c);
  line.append(cut ? "...\"" : "\"");
}

void append_value(std::string& line, std::string_view text) { append_text(line, text); }
void append_value(std::string& line, double number) { line.append(fmt::format("{}", number)); }
void append_value(std::string& line, std::int64_t number) { line.append(std::to_string(number)); }
void append_value(std::string& line, std::uint64_t number) { line.append(std::to_string(number)); }

}  // namespace

void LogField::append_to(std::string& line) const {
  line.append(" ").append(key_).append("=");
  std::visit([&](const auto& value) { append_value(line, value); }, value_);
}

std::string format_event(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line{event};
  for (const LogField& field : fields) field.append_to(line);
  return line;
}

Result<void> open_log(const LogOptions& options) {
  const bool journal_only = options.file.empty() && stderr_is_journal();
  try {
    outlet().exchange(make_logger(options.to_stderr, options.file), journal_only);
  } catch (const spdlog::spdlog_ex& failure) {
    return Error{Errc::io, "cannot open the log file " + options.file + ": " + failure.what() +
                               "; name another with 'log_dest file PATH'"};
  }
  set_log_level(options.level);
  return {};
}

void set_log_level(Severity level) { outlet().level = level; }

void flush_log() { outlet().logger()->flush(); }

bool is_logged(Severity severity) {
  return severity < Severity::off && severity >= outlet().level.load(std::memory_order_relaxed);
}

void log(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
  if (!is_logged(severity)) return;
  const SeverityRow& row = severity_rows[static_cast<std::size_t>(severity)];
  std::string line{outlet().journal_only() ? row.journal_prefix : row.name};
  if (!outlet().journal_only()) line.append(" ");
  line.append(format_event(event, fields));
  outlet().logger()->log(row.level, spdlog::string_view_t{line.data(), line.size()});
}

}  // namespace naru

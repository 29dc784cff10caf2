// storage/base/log.cpp: the only file that knows spdlog.

#include "storage/base/log.hpp"

#include <sys/stat.h>
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

// systemd names its journal by device and inode; what is sent elsewhere since is not the journal.
bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat facts {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &facts) != 0) return false;
  return std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino) == stream;
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

using Logger = std::shared_ptr<spdlog::logger>;

Logger make_logger() {
  auto logger = std::make_shared<spdlog::logger>("naru");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);  // Whoever reads the file sees what has happened.
  return logger;
}

// The journal has its own clock and takes <N> in front of a line as its severity; everybody else
// wants both written out.
struct Outlets {
  Logger dated = make_logger();
  Logger journal = make_logger();

  static Outlets open(bool to_stderr, const std::string& file) {
    Outlets made;
    if (!file.empty()) {
      made.dated->sinks().push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
    }
    if (to_stderr) {
      Logger& home = stderr_is_journal() ? made.journal : made.dated;
      home->sinks().push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    }
    made.dated->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %v");  // Of the outlets it has by now.
    made.journal->set_pattern("%v");
    return made;
  }
};

// The outlets may be exchanged while other threads log: each call holds its own reference.
class Log {
 public:
  std::shared_ptr<const Outlets> outlets() {
    const std::lock_guard lock{mutex_};
    if (!outlets_) outlets_ = std::make_shared<Outlets>(Outlets::open(true, {}));
    return outlets_;
  }
  void exchange(Outlets outlets) {
    const std::lock_guard lock{mutex_};
    outlets_ = std::make_shared<Outlets>(std::move(outlets));
  }

  std::atomic<Severity> level{Severity::info};

 private:
  std::mutex mutex_;
  std::shared_ptr<const Outlets> outlets_;
};

Log& the_log() {
  static Log only;
  return only;
}

void write(const Logger& logger, const SeverityRow& row, std::string_view prefix,
           const std::string& text) {
  if (logger->sinks().empty()) return;
  const std::string line = std::string{prefix} + text;
  logger->log(row.level, spdlog::string_view_t{line.data(), line.size()});
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
  try {
    the_log().exchange(Outlets::open(options.to_stderr, options.file));
  } catch (const spdlog::spdlog_ex& failure) {
    return Error{Errc::io, "cannot open the log file " + options.file + ": " + failure.what() +
                               "; name another with 'log_dest file PATH'"};
  }
  set_log_level(options.level);
  return {};
}

void set_log_level(Severity level) { the_log().level = level; }

void flush_log() {
  const auto outlets = the_log().outlets();
  outlets->dated->flush();
  outlets->journal->flush();
}

bool is_logged(Severity severity) {
  return severity < Severity::off && severity >= the_log().level.load(std::memory_order_relaxed);
}

void log(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
  if (!is_logged(severity)) return;
  const SeverityRow& row = severity_rows[static_cast<std::size_t>(severity)];
  const std::string text = format_event(event, fields);
  const auto outlets = the_log().outlets();
  write(outlets->dated, row, row.name, " " + text);
  write(outlets->journal, row, row.journal_prefix, text);
}

}  // namespace naru

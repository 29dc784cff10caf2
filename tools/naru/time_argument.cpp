// tools/naru/time_argument.cpp
#include "tools/naru/time_argument.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>

namespace naru::tools {
namespace {

struct UnitRow {
  std::string_view name;
  std::int64_t millis;
};

// Longest first, as format_duration walks it; `ms` is found by its whole name.
constexpr std::array unit_rows = {UnitRow{"d", 86'400'000}, UnitRow{"h", 3'600'000},
                                  UnitRow{"m", 60'000}, UnitRow{"s", 1000}, UnitRow{"ms", 1}};

constexpr std::int64_t longest_number = 100'000'000;  // Times the largest unit fits an int64.

// Walks over the fixed fields of a date; remembers the first field that did not fit.
class FieldScanner {
 public:
  explicit FieldScanner(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  bool take(char expected) {
    if (peek() != expected || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char expected) { ok_ = take(expected) && ok_; }

  int number(std::size_t digits, int low, int high) {
    int value = 0;
    const std::size_t n = std::min(digits, rest_.size());
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + n, value);
    ok_ = ok_ && n == digits && error == std::errc{} && end == rest_.data() + n && value >= low &&
          value <= high;
    rest_.remove_prefix(n);
    return value;
  }

  // Digits after the decimal point, cut to milliseconds.
  int fraction() {
    int value = 0;
    int scale = 100;
    std::size_t digits = 0;
    for (; peek() >= '0' && peek() <= '9' && digits < 9; ++digits, rest_.remove_prefix(1)) {
      value += (peek() - '0') * scale;
      scale /= 10;
    }
    ok_ = ok_ && digits > 0;
    return value;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

Error not_a_time(std::string_view text) {
  return {Errc::invalid,
          "'" + std::string{text} +
              "' is not a time: use 2026-08-01T12:30:00Z, or -15m for 15 minutes ago"};
}

// Milliseconds to subtract for the zone at the end; none means UTC.
std::int64_t scan_zone(FieldScanner& in) {
  if (in.done() || in.take('Z')) return 0;
  const bool west = in.take('-');
  if (!west) in.expect('+');
  const int hours = in.number(2, 0, 14);
  in.take(':');
  const int minutes = in.number(2, 0, 59);
  const std::int64_t offset = (hours * 60 + minutes) * 60'000LL;
  return west ? -offset : offset;
}

std::int64_t scan_time_of_day(FieldScanner& in) {
  if (!in.take('T') && !in.take(' ')) return 0;
  std::int64_t millis = in.number(2, 0, 23) * 3'600'000LL;
  in.expect(':');
  millis += in.number(2, 0, 59) * 60'000LL;
  if (in.take(':')) millis += in.number(2, 0, 60) * 1000LL;
  if (in.take('.')) millis += in.fraction();
  return millis - scan_zone(in);
}

bool looks_like_date(std::string_view text) {
  return text.size() >= 10 && text[4] == '-' && text[7] == '-';
}

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
  const Error error{Errc::invalid, "'" + std::string{text} +
                                       "' is not a duration: use a number and ms, s, m, h or d, "
                                       "such as 90s"};
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || number < 0 || number > longest_number) return error;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.empty()) unit = "s";
  for (const UnitRow& row : unit_rows) {
    if (row.name == unit) return Millis{number * row.millis};
  }
  return error;
}

Result<WallMillis> parse_time(std::string_view text, WallMillis now) {
  if (text.starts_with('-')) {
    const auto ago = parse_duration(text.substr(1));
    if (!ago) return not_a_time(text);
    const auto millis = static_cast<WallMillis>(ago->count());
    return millis > now ? 0 : now - millis;
  }
  FieldScanner in{text};
  const int year = in.number(4, 1970, 9999);
  in.expect('-');
  const int month = in.number(2, 1, 12);
  in.expect('-');
  const int day = in.number(2, 1, 31);
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  const std::int64_t time_of_day = scan_time_of_day(in);
  if (!in.ok() || !in.done() || !date.ok()) return not_a_time(text);
  const auto midnight = std::chrono::sys_days{date}.time_since_epoch();
  const std::int64_t millis = std::chrono::duration_cast<Millis>(midnight).count() + time_of_day;
  if (millis < 0) return not_a_time(text);
  return static_cast<WallMillis>(millis);
}

Result<std::string> stream_position(std::string_view text, WallMillis now) {
  if (!text.starts_with('-') && !looks_like_date(text)) return std::string{text};
  const auto time = parse_time(text, now);
  if (!time) return time.error();
  return std::to_string(*time);
}

std::string format_time(WallMillis time) {
  const std::chrono::sys_time<Millis> point{Millis{static_cast<std::int64_t>(time)}};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{point - day};
  char text[48];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

// The two largest units say enough.
std::string format_duration(Millis duration) {
  std::int64_t rest = duration.count();
  std::string text;
  int parts = 0;
  for (const UnitRow& row : unit_rows) {
    const std::int64_t count = rest / row.millis;
    rest %= row.millis;
    if (count == 0 && parts == 0) continue;
    if (count > 0) {
      if (!text.empty()) text += ' ';
      text += std::to_string(count);
      text += row.name;
    }
    if (++parts == 2) break;
  }
  return text.empty() ? "0s" : text;
}

}  // namespace naru::tools

// tools/naru/time_argument.hpp
//
// Times and durations as people type and read them: `90s`, `15m`, `2026-08-01T12:00Z`, `-15m`.
//
// Sans-IO: the current time is handed in. Lives on any thread; free functions.
// Bounded by the text given. A time without a zone is UTC, as everything naru prints.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"

namespace naru::tools {

// A number with one of the units ms, s, m, h, d; without a unit it means seconds.
Result<Millis> parse_duration(std::string_view text);

// ISO 8601 (`2026-08-01`, `2026-08-01T12:30:00.250+09:00`) or a duration before now (`-15m`).
Result<WallMillis> parse_time(std::string_view text, WallMillis now);

// What `--from` of a stream means to the broker: `earliest` and `latest` stay, a time becomes Unix
// milliseconds, everything else is taken for a cursor token and stays as it is.
Result<std::string> stream_position(std::string_view text, WallMillis now);

std::string format_time(WallMillis time);      // 2026-08-01T12:30:00.250Z
std::string format_duration(Millis duration);  // 3d 4h, 12m 5s, 250ms

}  // namespace naru::tools

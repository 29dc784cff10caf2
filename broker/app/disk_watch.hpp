// broker/app/disk_watch.hpp
//
// DiskWatch looks how full the file system of the data directory is, and says what there is still
// room for: streams give way first, then sessions, then commands. What was acknowledged and what
// frees room is never held up by it.
//
// Edge. look() on one thread at a time; the rest on any thread.
// Owned by Node. Bounded by: one system call a look.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/app/config.hpp"
#include "broker/session/shard_output.hpp"

namespace naru::broker {

// What a file system has for us: what root keeps for itself is in neither.
struct DiskSpace {
  std::uint64_t used = 0;
  std::uint64_t free = 0;  // In the same unit.
};

class DiskWatch {
 public:
  // Nothing: it cannot be told at present, and what was known last still counts.
  using Measure = std::function<std::optional<DiskSpace>()>;

  explicit DiskWatch(const Config& config);
  // measure: how full the directory's disk is.
  DiskWatch(const Config& config, Measure measure);

  // True when there is room for something else than before; the log has it then.
  bool look();
  // The same, for looking often: finds only that there is less room, so that nothing flutters.
  bool look_for_less();
  DiskRoom room() const { return room_of(percent_); }
  int percent() const { return percent_; }
  // For people: what is refused, and why.
  std::vector<std::string> problems() const;

 private:
  DiskRoom room_of(int percent) const;
  int percent_now() const;
  bool take(int percent);

  const std::string directory_;
  const Measure measure_;
  const int streams_, sessions_, ledger_;  // Percent.
  std::atomic<int> percent_{0};
};

}  // namespace naru::broker

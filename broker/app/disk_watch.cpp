#include "broker/app/disk_watch.hpp"

#include <sys/statvfs.h>

#include <utility>

#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

std::optional<DiskSpace> space_of(const std::string& directory) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0) return {};
  return DiskSpace{disk.f_blocks - disk.f_bfree, disk.f_bavail};
}

}  // namespace

DiskWatch::DiskWatch(const Config& config)
    : DiskWatch(config, [directory = config.persistence_location] { return space_of(directory); }) {
}

DiskWatch::DiskWatch(const Config& config, Measure measure)
    : directory_(config.persistence_location),
      measure_(std::move(measure)),
      streams_(config.stream_disk_percent),
      sessions_(config.session_disk_percent),
      ledger_(config.ledger_disk_percent) {}

DiskRoom DiskWatch::room_of(int percent) const {
  return {percent <= streams_, percent <= sessions_, percent <= ledger_};
}

// Rounded up: a little above a limit is above it.
int DiskWatch::percent_now() const {
  const std::optional<DiskSpace> space = measure_();
  if (!space) return percent_;
  const std::uint64_t all = space->used + space->free;
  return all == 0 ? 0 : static_cast<int>((space->used * 100 + all - 1) / all);
}

bool DiskWatch::look() { return take(percent_now()); }

bool DiskWatch::look_for_less() {
  const int percent = percent_now();
  return percent > percent_ && take(percent);
}

bool DiskWatch::take(int percent) {
  const DiskRoom before = room();
  percent_ = percent;
  if (room() == before) return false;
  log(Severity::warning, "disk_budget",
      {{"percent", static_cast<unsigned>(percent_)},
       {"streams", room().streams ? "taken" : "refused"},
       {"sessions", room().sessions ? "taken" : "refused"},
       {"commands", room().ledger ? "taken" : "refused"}});
  return true;
}

std::vector<std::string> DiskWatch::problems() const {
  const int percent = percent_;
  const DiskRoom now = room_of(percent);
  std::string refused;
  if (!now.streams) refused = "records for streams";
  if (!now.sessions) refused += ", messages for sessions";
  if (!now.ledger) refused += ", commands";
  if (refused.empty()) return {};
  return {"the disk of " + directory_ + " is " + std::to_string(percent) +
          " % full; refused until there is room: " + refused};
}

}  // namespace naru::broker

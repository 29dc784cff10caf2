#include "broker/app/disk_watch.hpp"

#include <sys/statvfs.h>

#include "storage/base/log.hpp"

namespace naru::broker {

DiskWatch::DiskWatch(const Config& config)
    : directory_(config.persistence_location),
      streams_(config.stream_disk_percent),
      sessions_(config.session_disk_percent),
      ledger_(config.ledger_disk_percent) {}

DiskRoom DiskWatch::room_of(int percent) const {
  return {percent <= streams_, percent <= sessions_, percent <= ledger_};
}

int DiskWatch::measure() const {
  struct statvfs disk {};
  if (::statvfs(directory_.c_str(), &disk) != 0) return percent_;
  const std::uint64_t used = disk.f_blocks - disk.f_bfree;
  const std::uint64_t all = used + disk.f_bavail;  // What root keeps for itself is not ours.
  return all == 0 ? 0 : static_cast<int>((used * 100 + all - 1) / all);
}

bool DiskWatch::look() { return take(measure()); }

bool DiskWatch::look_for_less() {
  const int percent = measure();
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

#include "broker/app/memory_watch.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <utility>

#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;

std::uint64_t nine_tenths(std::uint64_t bytes) { return bytes / 10 * 9; }

// What is ours alone: pages of files go by themselves when they are needed.
std::uint64_t used_memory() {
  std::ifstream in{"/proc/self/statm"};
  std::uint64_t all = 0, resident = 0, shared = 0;
  if (!(in >> all >> resident >> shared)) return 0;
  return (resident - std::min(resident, shared)) * static_cast<std::uint64_t>(::getpagesize());
}

// Nothing where the file does not begin with a number, as where it says "max".
std::uint64_t number_in(const std::string& path) {
  std::ifstream in{path};
  std::uint64_t number = 0;
  return in >> number ? number : std::numeric_limits<std::uint64_t>::max();
}

// Of our control group (version 2) and those above it.
std::uint64_t group_memory() {
  std::ifstream in{"/proc/self/cgroup"};
  std::string line;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  while (std::getline(in, line)) {
    if (!line.starts_with("0::/")) continue;
    std::string group = line.substr(3);
    while (true) {
      least = std::min(least, number_in("/sys/fs/cgroup" + group + "/memory.max"));
      if (group.empty()) break;
      group.erase(group.rfind('/'));
    }
  }
  return least;
}

std::uint64_t machine_memory() {
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  return std::min(pages * static_cast<std::uint64_t>(::getpagesize()), group_memory());
}

}  // namespace

MemoryWatch::MemoryWatch(std::uint64_t limit)
    : MemoryWatch(limit, {used_memory, [] { ::malloc_trim(0); }}) {}

MemoryWatch::MemoryWatch(std::uint64_t limit, Source source)
    : limit_(limit != 0 ? limit : nine_tenths(machine_memory())), source_(std::move(source)) {}

bool MemoryWatch::look() {
  const std::uint64_t mark = is_high_ ? nine_tenths(limit_) : limit_;
  std::uint64_t used = source_.used();
  if (used >= mark) {
    source_.give_back();
    used = source_.used();
  }
  used_ = used;
  const bool high = used >= mark;
  if (high == is_high_.exchange(high)) return false;
  log(Severity::warning, "memory_limit",
      {{"used_mb", used / mebibyte},
       {"limit_mb", limit_ / mebibyte},
       {"new_work", high ? "refused" : "taken"}});
  return true;
}

Millis MemoryWatch::look_every() const {
  const bool is_near = used_ >= limit_ / 4 * 3;
  return is_near ? Millis{100} : Millis{1000};
}

std::vector<std::string> MemoryWatch::problems() const {
  if (!is_high_) return {};
  return {"memory_limit is reached (" + std::to_string(used_ / mebibyte) + " of " +
          std::to_string(limit_ / mebibyte) +
          " MiB); refused until there is room: connections, messages for sessions, records for "
          "streams"};
}

}  // namespace naru::broker

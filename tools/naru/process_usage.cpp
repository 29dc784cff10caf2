// tools/naru/process_usage.cpp
#include "tools/naru/process_usage.hpp"

#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>

#include <unistd.h>

namespace naru::tools {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// Of all threads, also those that ended; /proc/PID/stat has it in steps of 10 ms only.
Duration cpu_time_of(int pid) {
  clockid_t clock = 0;
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return Seconds{time.tv_sec} + Duration{time.tv_nsec / 1000};
}

}  // namespace

Result<ProcessUsage> usage_of(int pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  const std::string stat = read_text(folder + "/stat");
  // The name in parentheses may contain anything: count the fields behind it.
  const std::size_t behind_name = stat.rfind(')');
  if (behind_name == std::string::npos) {
    return Error{Errc::invalid, "there is no process " + std::to_string(pid)};
  }
  std::istringstream fields{stat.substr(behind_name + 1)};
  constexpr int resident = 22;  // Field 24 of proc(5); the third comes first here.
  ProcessUsage usage;
  std::string field;
  for (int i = 1; fields >> field; ++i) {
    if (i == resident) {
      usage.memory_bytes = std::stoull(field) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    }
  }
  usage.cpu = cpu_time_of(pid);
  std::istringstream io{read_text(folder + "/io")};
  for (std::string name; io >> name >> field;) {
    if (name == "write_bytes:") usage.written_bytes = std::stoull(field);
  }
  return usage;
}

}  // namespace naru::tools

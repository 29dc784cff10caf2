// tools/naru/process_usage.cpp
#include "tools/naru/process_usage.hpp"

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
  constexpr int user_time = 12;  // Field 14 of proc(5); the third comes first here.
  constexpr int resident = 22;
  ProcessUsage usage;
  std::int64_t ticks = 0;
  std::string field;
  for (int i = 1; fields >> field; ++i) {
    if (i == user_time || i == user_time + 1) ticks += std::stoll(field);
    if (i == resident) {
      usage.memory_bytes = std::stoull(field) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    }
  }
  usage.cpu = Duration{ticks * 1'000'000 / sysconf(_SC_CLK_TCK)};
  std::istringstream io{read_text(folder + "/io")};
  for (std::string name; io >> name >> field;) {
    if (name == "write_bytes:") usage.written_bytes = std::stoull(field);
  }
  return usage;
}

}  // namespace naru::tools

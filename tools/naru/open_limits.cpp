// tools/naru/open_limits.cpp
#include "tools/naru/open_limits.hpp"

#include <fstream>
#include <string>

#include <sys/resource.h>

namespace naru::tools {
namespace {

constexpr std::size_t own_files = 32;  // Standard streams, epoll, signals, what libraries open.

}  // namespace

void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<void> check_room_for(std::size_t connections) {
  raise_open_files();
  rlimit limit{};
  const std::size_t files = connections + own_files;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < files) {
    return Error{Errc::refused, std::to_string(connections) + " connections need " +
                                    std::to_string(files) + " open files, and the limit is " +
                                    std::to_string(limit.rlim_cur) +
                                    ": raise it, as root with 'ulimit -Hn " +
                                    std::to_string(files) + "' or LimitNOFILE= of a unit"};
  }
  std::ifstream range{"/proc/sys/net/ipv4/ip_local_port_range"};
  std::size_t first = 0, last = 0;
  if (range >> first >> last && last >= first && connections > last - first + 1) {
    return Error{Errc::refused, std::to_string(connections) +
                                    " connections to one address and port need a local port " +
                                    "each, and the system gives " +
                                    std::to_string(last - first + 1) +
                                    ": widen net.ipv4.ip_local_port_range, as root with 'sysctl'"};
  }
  return {};
}

}  // namespace naru::tools

#include "broker/app/pid_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace naru::broker {

PidFile::PidFile(const Config& config)
    : path_(config.pid_file), place_(place_text(config.places, "pid_file")) {}

PidFile::~PidFile() {
  if (written_) ::unlink(path_.c_str());
}

Result<void> PidFile::write() {
  if (path_.empty()) return {};
  errno = 0;
  std::ofstream out{path_, std::ios::trunc};
  out << ::getpid() << '\n';
  out.close();
  if (!out) {
    const int reason = errno;
    return Error{Errc::io, place_ + "pid_file " + path_ + ": " + std::strerror(reason) +
                               "; name a place that can be written, or remove the line"};
  }
  written_ = true;
  return {};
}

}  // namespace naru::broker

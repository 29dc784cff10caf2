// broker/app/pid_file.hpp
//
// PidFile is where the process id stands while narud runs (pid_file), for whoever looks after the
// process; it is gone when the object is.
//
// Edge: writes and removes a file. Lives on the main thread.
#pragma once

#include <string>

#include "broker/app/config.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

class PidFile {
 public:
  explicit PidFile(const Config& config);
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  ~PidFile();

  // Nothing where the configuration names none. The error names its line.
  Result<void> write();

 private:
  std::string path_, place_;
  bool written_ = false;
};

}  // namespace naru::broker

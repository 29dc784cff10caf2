// tools/naru/process_usage.hpp
//
// What a process has used so far, from /proc.
//
// Edge: reads files. Lives on any thread; values.
#pragma once

#include <cstdint>

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"

namespace naru::tools {

struct ProcessUsage {
  Duration cpu{0};                  // In user and system mode, all threads.
  std::uint64_t memory_bytes = 0;   // Resident now.
  std::uint64_t written_bytes = 0;  // To disks; 0 when it may not be read.
};

Result<ProcessUsage> usage_of(int pid);

}  // namespace naru::tools

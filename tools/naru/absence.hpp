// tools/naru/absence.hpp
//
// Absence is the time in which a broker does not answer, seen by a command that would rather wait
// than end: it says so once, and lets a while go by before each further question.
//
// Edge: sleeps, and writes to stderr. Lives on the one thread of naru.
// Owned by: the command that runs.
// Bounded by: what the command says, with an Instant.
#pragma once

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"

namespace naru::tools {

class Absence {
 public:
  // Waits. False, and at once: the error is another, or there is no time left for another try.
  bool outlast(const Error& error, Instant until = Instant::never());
  void over();  // It has answered.

 private:
  Millis pause_{0};
};

}  // namespace naru::tools

// tools/naru/exit_code.hpp
//
// How naru ends: the exit codes that scripts rely on, and what one invocation was asked to do.
//
// Sans-IO. Lives on the one thread of naru; values. Owned by main().
#pragma once

#include <functional>
#include <string>

#include "storage/base/result.hpp"

namespace naru::tools {

enum class ExitCode : unsigned char {
  done = 0,
  not_done = 1,       // It did not happen, for instance the command failed or was refused.
  bad_arguments = 2,  // Nothing was tried.
  unreachable = 3,    // The broker cannot be reached.
};

using Outcome = Result<ExitCode>;

inline ExitCode exit_code_of(const Error& error) {
  if (error.code == Errc::invalid) return ExitCode::bad_arguments;
  if (error.code == Errc::unavailable) return ExitCode::unreachable;
  return ExitCode::not_done;
}

struct Invocation {
  std::string socket;  // --socket; empty: the usual places are tried.
  bool json = false;
  std::function<Outcome()> run;  // Set by the command that was named on the command line.
};

}  // namespace naru::tools

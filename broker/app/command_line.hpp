// broker/app/command_line.hpp
//
// What narud can be told on its command line, and the configuration that makes.
//
// Edge: reads files, writes problems to stderr. Called once by main().
#pragma once

#include <functional>
#include <optional>

#include "broker/app/config_file.hpp"

namespace naru::broker {

struct CommandLine {
  std::optional<Config> config;           // Empty: end with this exit code.
  std::function<ConfigOutcome()> reread;  // Makes the configuration again from the same arguments.
  int exit_code = 0;                      // 2: wrong arguments or configuration.
};

CommandLine read_command_line(int argc, char** argv);

}  // namespace naru::broker

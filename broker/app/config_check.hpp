// broker/app/config_check.hpp
//
// The files that a configuration names are part of it: what is wrong in them shows before a start.
//
// Edge: reads files. Called by narud and by naru, on their one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/app/config_file.hpp"

namespace naru::broker {

struct NamedFiles {
  std::vector<std::string> faults;  // Each with its place in front where that is known.
  std::vector<Problem> notices;     // Certificates and lists that run out, open secrets.
};
// Passwords, rights, certificates, keys.
NamedFiles check_named_files(const Config& config);
// Secrets that everybody on this machine may read, each once.
std::vector<Problem> open_secrets(const Config& config);
// All that is wrong with a configuration: its lines, and, where those are fine, the files it names.
std::vector<Problem> check_config(const std::string& path);
// Place and text of "FILE:LINE: error: TEXT" or "FILE:LINE: TEXT" apart; else all is text.
Problem problem_of(std::string_view fault);

}  // namespace naru::broker

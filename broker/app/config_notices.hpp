// broker/app/config_notices.hpp
//
// What the listeners of a configuration mean together and its operator may not have meant: nobody
// can come in, or a name that one listener proves is taken unproved at another.
//
// Sans-IO; pure. Called at start, by --check and at a reload. Bounded by the listeners.
#pragma once

#include <string>
#include <vector>

#include "broker/app/config_file.hpp"

namespace naru::broker {

// file: the place of what no single line says.
std::vector<Problem> notices_of_listeners(const Config& config, const std::string& file);

}  // namespace naru::broker

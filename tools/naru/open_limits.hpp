// tools/naru/open_limits.hpp
//
// Whether the system lets naru have as many connections at once as a command needs.
//
// Edge: asks the kernel. Lives on any thread.
#pragma once

#include <cstddef>

#include "storage/base/result.hpp"

namespace naru::tools {

// Raises the process' limit of open files as far as it may go without privileges.
void raise_open_files();

// refused, with what to change, when there are too few files or local ports for so many
// connections to one address and port. Raises the limit of open files before.
Result<void> check_room_for(std::size_t connections);

}  // namespace naru::tools

// broker/net/denial_log.hpp
//
// Writes into the log what clients were not allowed to do and which rule refused it, and by what
// they broke the protocol.
//
// Edge. Any thread; nothing is kept.
#pragma once

#include <vector>

#include "broker/session/shard_output.hpp"

namespace naru::broker {

void log_denials(const std::vector<Denial>& denials);

}  // namespace naru::broker

// broker/session/client_limits.hpp
//
// ClientLimits are how much one client may ask of its front, as the operator has it.
//
// Sans-IO values, part of ShardSettings; a reload exchanges them. Bounds and defaults:
// broker/app/limit_options.cpp.
#pragma once

#include "storage/base/clock.hpp"

namespace naru::broker {

struct ClientLimits {
  Duration connect_timeout{10'000'000};  // From its first moment to CONNACK.
};

}  // namespace naru::broker

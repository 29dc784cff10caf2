// broker/app/node_variation.hpp
//
// NodeVariation is how a test build of the node differs from narud.
//
// A value, given to Node's constructor. Lives on any thread.
#pragma once

#include <memory>

#include "broker/session/planted_fault.hpp"

namespace naru::broker {

struct NodeVariation {
  std::shared_ptr<void> file_system;  // Loses what was not synced; empty: the machine's.
  PlantedFault planted = PlantedFault::none;
};

}  // namespace naru::broker

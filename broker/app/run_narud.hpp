// broker/app/run_narud.hpp
//
// run_narud is the life of the program narud: command line, log, node, signals, end.
//
// Edge. Called once by main(), before any thread exists. Owns the Node and what goes with it.
#pragma once

#include <functional>

#include "broker/app/config.hpp"
#include "broker/app/node.hpp"

namespace naru::broker {

// How a test build differs from narud. Called on the main thread.
struct Variation {
  std::function<void(Config&)> adjust;
  NodeVariation node;
  int end_signal = 0;  // Ends the process through on_end_signal, without a goodbye.
  std::function<void()> on_end_signal;
};

// The exit code: 0 after a clean end, 1 when the node cannot start, 2 for a bad configuration.
int run_narud(int argc, char** argv, const Variation& variation = {});

}  // namespace naru::broker

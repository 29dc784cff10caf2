// test/support/command_history.hpp
//
// CommandHistory is what an operator, his devices and the wires between saw of the commands of a
// run, in order: the only evidence check_commands() gets.
//
// Sans-IO values. Lives on one thread. Owned by the run, which adds what happens when it happens.
// Bounded by the run.
//
// What a run must do so that the history says enough:
//   - add `left` before a cancellation that is answered in the same turn;
//   - read the ledger as the interface does, which shows only what is committed;
//   - add `waiting` when all faults are over, and end when nothing happens any more.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "broker/command/ledger.hpp"
#include "test/support/checkers.hpp"

namespace naru::test {

enum class CommandEvent : std::uint8_t {
  asked,     // The operator sends it, for the first time or again.
  promised,  // His request is answered: it is in the ledger.
  refused,   // His request is answered: the store did not take it.
  cancel_asked,
  cancelled,  // The request to cancel it is answered.
  step,       // The ledger shows one more state; `at` is the ledger's time of it.
  vanished,   // The ledger does not show any more what it showed. number: of the device's commands
              // that ended and are newer, how many it shows.
  left,       // The broker has let it go to its device. number: the connection.
  received,   // By its device. number: 1 where it is not the command that was sent.
  said,       // The device has published that state.
  taken,      // And the broker has acknowledged it.
  waiting,    // Its device is there, has subscribed, and meets no more faults.
};

struct CommandRecord {
  StoreMillis at = 0;
  CommandEvent event{};
  std::string command;  // Its id, unique in the run.
  broker::CommandState state{};
  std::uint64_t number = 0;
  StoreMillis expires_at = 0;  // Of a step.
};

using CommandHistory = std::vector<CommandRecord>;

std::string line_of(const CommandRecord& record);

// A promised command ends, states go forward, what the broker acknowledged of a device's word
// stands, no command leaves when it has expired or was cancelled, or before it was asked for, and
// what was refused is not there.
Violations check_commands(const CommandHistory& history);

}  // namespace naru::test

// test/sim/command_load.hpp
//
// CommandLoad is an operator who sends commands to devices through the calls the HTTP interface
// makes, cancels some, asks again where he got no answer, and reads the ledger; and the devices.
//
// Sans-IO: virtual time, a seed decides. Lives on one thread. Owned by Simulation; the nodes it is
// shown must outlive their use. Bounded by its steps.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "test/sim/sim_device.hpp"

namespace naru::test {

class CommandLoad {
 public:
  // rate: how often there is a new command, per step.
  CommandLoad(double rate, SimDevice::Faults faults, Rng rng);

  // What operator and devices do between two turns of the broker.
  void step(SimNode* node, Instant now);
  // Behind the turns of a step: what they sent, answered and wrote down.
  void hear(SimNode& node, Instant now);
  void on_broker_dead(Instant now);
  void calm();
  // Which devices can take commands and meet no fault any more. After calm().
  void note_waiting(Instant now);
  // Reads the whole ledger once more.
  void read_all(SimNode& node, Instant now);
  // What has not come to rest, for people; empty when everything has.
  std::string unsettled() const;

  const CommandHistory& history() const { return history_; }
  const History& seen() const { return seen_; }
  std::size_t sent() const { return commands_.size(); }
  std::size_t succeeded() const;

 private:
  struct Command {
    std::string id;
    std::size_t device = 0;
    std::vector<storage::CommandStep> steps;  // As the ledger showed them last.
    bool promised = false, gone = false;
    bool open = false;  // The operator waits for an answer.
  };
  struct Asked {
    std::size_t command = 0;
    bool cancels = false;
  };

  void operate(SimNode& node, Instant now);
  void send(SimNode& node, std::size_t which, Instant now);
  void cancel(SimNode& node, std::size_t which, Instant now);
  void read(SimNode& node, std::size_t which, Instant now);
  void add(CommandEvent event, const Command& command, Instant now, CommandRecord more = {});

  double rate_;
  Rng rng_;
  History seen_;
  CommandHistory history_;
  std::vector<std::unique_ptr<SimDevice>> devices_;
  std::vector<Command> commands_;
  std::map<std::uint64_t, Asked> asked_;  // By request.
  std::size_t first_open_ = 0;
  std::uint64_t requests_ = 0;
  bool calm_ = false;
  std::vector<bool> waiting_;  // By device: it was said that it waits.
};

}  // namespace naru::test

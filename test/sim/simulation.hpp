// test/sim/simulation.hpp
//
// Simulation is one run from one seed: a broker's real cores, fifty clients, a network and a disk
// that fail, in virtual time. At the end all faults stop, everything has to come to rest, and the
// checkers judge what the clients saw.
//
// Sans-IO. Lives on one thread; a value that runs once. Bounded by its steps.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/session/planted_fault.hpp"
#include "test/sim/command_load.hpp"
#include "test/sim/group_load.hpp"
#include "test/sim/sim_clients.hpp"
#include "test/support/checkers.hpp"

namespace naru::test {

struct SimOptions {
  std::uint64_t seed = 1;
  std::size_t steps = 3'000;
  std::size_t clients = 50;
  bool disk_may_fill = true;
  bool verbose = false;
  broker::PlantedFault planted = broker::PlantedFault::none;
};

struct SimResult {
  std::vector<std::string> failures;
  std::uint64_t hash = 0;  // Of all that happened; the same seed gives the same.
  Summary summary;
  std::size_t crashes = 0, power_losses = 0, full_disks = 0, journal_drops = 0, hop_resets = 0;
  std::size_t commands = 0, commands_succeeded = 0;
  std::size_t shared = 0;  // Messages that members of groups got.
  std::size_t steps = 0;
};

class Simulation {
 public:
  explicit Simulation(SimOptions options);
  SimResult run();

 private:
  void choose_weather();
  void advance();
  void step();
  void make_room();
  void disturb();
  void note(Event event);
  void start_node();
  void crash();
  bool rest(Duration quiet);
  void settle();
  void check_stream();
  void check_recovery();
  void check_queues();
  void check_ledger();
  void check_members();
  bool resting() const;
  std::string unsettled() const;
  void fail(std::string why);

  SimOptions options_;
  Rng rng_;
  History history_;
  storage::FaultKv disk_;
  Weather weather_;
  std::unique_ptr<SimClients> clients_;
  std::unique_ptr<CommandLoad> commands_;  // In some weathers.
  std::unique_ptr<GroupLoad> groups_;      // In some weathers.
  std::unique_ptr<SimNode> node_;
  SimNodeOptions node_options_;
  SimResult result_;
  Instant now_{};
  Instant down_until_{};
  Instant full_until_ = Instant::never();
  Duration sync_time_{2'000};
  double crash_ = 0.002, full_ = 0.0, drop_ = 0.01;
  bool calm_ = false;
  std::size_t printed_ = 0;
};

}  // namespace naru::test

// test/sim/lane_load.hpp
//
// LaneLoad keeps the lanes of a simulated node busy with all that is ever asked of them: the
// crowd of SimClients, a device that sleeps and gets commands, and an operator who sends and
// cancels them, names consumers and lets old records go. It writes down every record that is
// committed, as another node would get it.
//
// Sans-IO: virtual time, a seed decides. Lives on one thread. Owned by a test. Bounded by its
// steps.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "test/sim/sim_clients.hpp"

namespace naru::test {

class LaneLoad {
 public:
  LaneLoad(std::uint64_t seed, std::uint16_t shards);

  // A new process on the disk the last one left.
  void start();
  void run(std::size_t steps);
  // Clients and operator hold still until all that was asked for is committed.
  void hold();
  // The process dies while much is on its way, and of that each lane keeps what it pleases.
  void crash_by_lanes();
  // Drops from the journal what nobody needs. Not before a journal is to be compared.
  void drop_journal() { node_->drop_journal(); }

  SimNode& node() { return *node_; }
  const storage::FaultKv& disk() const { return disk_; }
  const History& history() const { return history_; }
  // Committed records of all lanes in the order of each.
  const std::vector<Bytes>& log() const { return log_; }
  // Ids of commands, and cursors of consumers, that the operator was told are safe.
  const std::set<Bytes>& commands() const { return commands_; }
  const std::set<Bytes>& cursors() const { return cursors_; }

 private:
  void advance();
  void operate();
  void submit_command();
  void put_consumer();
  void publish_later();
  void end_some_command();
  void step_device();
  void hear();
  StoreMillis store_now() const;

  Rng rng_;
  std::uint16_t shards_;
  storage::FaultKv disk_;
  History history_, device_history_;
  std::unique_ptr<SimClients> clients_;
  ModelClient device_;
  LinkId device_link_ = 0, links_ = 0;
  SimNodeOptions options_;
  std::unique_ptr<SimNode> node_;
  Instant now_{};
  std::vector<Bytes> log_;
  std::uint64_t requests_ = 0;
  std::map<std::uint64_t, Bytes> asked_commands_, asked_cursors_;  // By request.
  std::set<Bytes> commands_, cursors_;
};

}  // namespace naru::test

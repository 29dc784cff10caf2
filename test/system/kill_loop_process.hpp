// test/system/kill_loop_process.hpp
//
// BrokerProcess starts a broker on a data directory, finds its port and ends it: kindly, with
// kill -9, or by the power-loss signal of a test build.
//
// Edge: fork, exec, signals, files. Lives on one thread.
// Owned by:   the kill loop, by value. Ends the process when it goes.
// Bounded by: a deadline for each wait; beyond it the call returns an error.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/clock.hpp"
#include "storage/base/result.hpp"

namespace naru::test {

struct BrokerOptions {
  std::string program;
  std::string directory;   // Data, log, port file; made where missing.
  bool mosquitto = false;  // Another broker: the loop then tests the checkers.
  bool front_hop_encode = false;
  std::uint64_t shards = 0;  // 0: what the broker chooses.
  std::string plant;         // A fault that a test build has on purpose; empty: none.
};

class BrokerProcess {
 public:
  explicit BrokerProcess(BrokerOptions options);
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  // Returns once the broker accepts connections, with the time that took.
  Result<Duration> start();
  // kill -9 and wait. An error if it had ended by itself before.
  Result<void> kill_hard();
  // SIGUSR2: the test build drops what is not synced and exits by itself.
  Result<void> lose_power();
  Result<void> stop();

  std::uint16_t port() const { return port_; }
  // False once the process has ended, for whatever reason.
  bool is_running();

 private:
  std::vector<std::string> arguments() const;
  Result<void> write_configuration();
  bool accepts();
  Result<void> wait_for_end(Duration limit);

  BrokerOptions options_;
  pid_t pid_ = -1;
  int status_ = 0;
  std::uint16_t port_ = 0;
};

}  // namespace naru::test

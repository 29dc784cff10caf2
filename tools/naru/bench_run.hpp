// tools/naru/bench_run.hpp
//
// BenchRun takes a bench through its steps: connect, publish, wait for the last delivery, count.
// The scenario `offline` lets the subscribers leave before the first message and come back after
// the last.
//
// Edge: owns all clients of the loop. Lives on the loop's thread.
// Bounded by: a step that makes no progress for stall_time ends the bench.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tools/naru/bench_clients.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/process_usage.hpp"

namespace naru::tools {

class BenchRun final : public ClientOwner {
 public:
  // pid: the broker's process, whose use of CPU is measured; 0 for none.
  BenchRun(ClientLoop& loop, const BenchPlan& plan, const ClientSettings& settings, int pid);

  // unavailable when the broker does not answer; io when it ended a connection.
  Result<Json> run();

  // Nothing lost, doubled or out of order, nothing refused. After run().
  bool flawless() const { return flawless_; }

 private:
  struct Meter {
    Instant began;
    ProcessUsage usage;
    Duration own_cpu;
  };

  void on_event(const ClientEvent& /*event*/) override {}
  void on_down(const std::string& /*reason*/) override {}
  void on_timer(Instant now) override;

  void make_clients(const ClientSettings& settings);
  std::string filter_of(std::size_t subscriber) const;
  std::uint64_t copies() const;
  Result<void> open_all(std::vector<BenchClient*> clients);
  Result<void> leave_all(const std::vector<BenchClient*>& clients);
  Result<void> publish_all();
  Result<void> wait_for_deliveries();
  Result<void> wait_until(std::function<bool()> done, const char* step);
  Result<void> drop_sessions();
  void publish_at_rate(Instant now);
  Result<Meter> start_meter() const;
  Result<Json> stop_meter(const Meter& meter, std::uint64_t messages) const;
  Json deliveries();
  void add_delivery_cost(Json& result) const;

  const BenchContext context_;
  BenchBoard board_;
  const int pid_;
  std::vector<std::unique_ptr<BenchPublisher>> publishers_;
  std::vector<std::unique_ptr<BenchSubscriber>> subscribers_;
  std::vector<std::unique_ptr<BenchClient>> cleaners_;
  std::vector<BenchClient*> to_open_;  // In reverse.
  std::function<bool()> done_;         // What the current step waits for.
  Instant step_began_;
  Instant ends_ = Instant::never();  // Of publishing.
  std::uint64_t progress_ = 0;       // A number that grows; when it last did is below.
  Instant progress_at_;
  bool flawless_ = false;
};

}  // namespace naru::tools

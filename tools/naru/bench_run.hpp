// tools/naru/bench_run.hpp
//
// BenchRun takes a bench through its steps: connect, publish, wait for the last delivery, count.
// Most scenarios are run_messages(); those with steps of their own are in bench_scenarios.cpp and
// bench_filters.cpp.
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

  // unavailable when the broker does not answer; io when it ended a connection, or refused one.
  // Interrupted it cleans up and tells what was counted until then.
  Result<Json> run();
  bool interrupted() const { return !end_words_.empty(); }
  const std::string& end_words() const { return end_words_; }  // Where, and what is left to do.

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
  Result<Json> run_scenario();
  // One for each scenario with steps of its own.
  Result<Json> run_messages();
  Result<Json> run_retained();
  Result<Json> run_idle();
  Result<Json> run_connect();
  Result<Json> run_filters();
  Result<Json> run_storm();
  Result<Json> watch_idle(std::uint64_t before, double counted);
  Result<void> clear_retained();
  struct Phase {
    std::uint64_t messages = 0, changes = 0;
    double seconds = 0;
    double cpu_us = 0;  // Of the broker; 0 when it is not measured.
    std::uint64_t memory_bytes = 0;
  };
  Result<Phase> run_phase(bool publishes, bool changes);
  Result<Json> run_phases();

  // Steps.
  Result<void> open_all(std::vector<BenchClient*> clients);
  Result<void> open_subscribers();
  Result<void> open_publishers();
  Result<void> leave_all(const std::vector<BenchClient*>& clients);
  void begin_publishing();
  Result<void> publish_all();
  Result<void> wait_for_deliveries();
  Result<void> wait_until(std::function<bool()> done, const char* step);
  Result<void> drop_sessions();
  Json end_early();
  Result<void> clean_up();
  std::string cleaning_commands() const;
  void publish_at_rate(Instant now);
  void tell_progress(Instant now);
  Duration pause() const;  // Until on_timer() is to look again.

  Result<Meter> start_meter() const;
  Result<Json> stop_meter(const Meter& meter, std::uint64_t messages) const;
  std::uint64_t wanted() const;  // Deliveries, of what was published and not refused.
  Json deliveries();
  // Null, and a word on stderr, where the broker took no more memory for them.
  Json memory_of_each(double grown, double count) const;
  void add_delivery_cost(Json& result) const;

  const BenchContext context_;
  BenchBoard board_;
  const int pid_;
  std::vector<std::unique_ptr<BenchPublisher>> publishers_;
  std::vector<std::string> topics_;    // By publisher; of its first message.
  std::vector<std::uint64_t> copies_;  // By publisher: how many subscribers get a message.
  std::vector<std::unique_ptr<BenchSubscriber>> subscribers_;
  std::vector<std::unique_ptr<BenchClient>> cleaners_;
  std::vector<BenchClient*> to_open_;  // In reverse.
  std::function<bool()> done_;         // What the current step waits for.
  const char* step_ = "";
  Instant step_began_;
  Instant publishing_since_;
  Instant ends_ = Instant::never();  // Of publishing.
  std::uint64_t progress_ = 0;       // A number that grows; when it last did is below.
  Instant progress_at_;
  Instant told_at_;
  bool interrupted_ = false;  // In the current step.
  std::string end_words_;
  bool flawless_ = false;
};

// p50, p99 and p99.9 as NAME_us_p50, NAME_us_p99 and NAME_us_p999; nothing for none.
void add_percentiles(Json& out, const std::string& name, const LatencyHistogram& latency);
double rounded(double value);  // To hundredths.
template <class Client>
std::vector<BenchClient*> pointers(const std::vector<std::unique_ptr<Client>>& clients) {
  std::vector<BenchClient*> all;
  for (const auto& client : clients) all.push_back(client.get());
  return all;
}

}  // namespace naru::tools

// tools/naru/vehicle.hpp
//
// Vehicle is one car of the fleet: it sends its telemetry at its own pace, keeps it while it has
// no connection, comes back with growing pauses, and obeys commands.
//
// Edge: a client of the loop. Lives on the loop's thread.
// Owned by: the fleet; borrows the fleet's plan and counters.
// Bounded by: backlog_max messages that wait for acknowledgement; beyond it the car does not
// sample, and what it skipped is counted.
#pragma once

#include <memory>

#include "tools/naru/client_loop.hpp"
#include "tools/naru/command_answers.hpp"
#include "tools/naru/latency_histogram.hpp"
#include "tools/naru/signal_source.hpp"

namespace naru::tools {

struct FleetCounters {
  bool answered = false;        // The broker did, if only to refuse.
  std::uint64_t connected = 0;  // Now.
  std::uint64_t ever_connected = 0;
  std::uint64_t published = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;  // By a reason code.
  std::uint64_t skipped = 0;
  std::uint64_t commands = 0;
  std::uint64_t answers = 0;
  std::uint64_t connections_lost = 0;
  std::uint64_t connect_failures = 0;
  std::string last_trouble;
  LatencyHistogram latency;  // From publish() to acknowledgement.
};

// What all vehicles have in common.
struct FleetPlan {
  std::string prefix = "vehicles";
  mqtt::Qos qos = mqtt::Qos::at_least_once;
  Duration interval{1'000'000};
  bool answers = true;
  std::uint64_t seed = 1;
};

class Vehicle final : public ClientOwner {
 public:
  struct Context {
    ClientLoop& loop;
    const FleetPlan& plan;
    FleetCounters& counters;
  };

  Vehicle(Context context, ClientSettings settings, std::unique_ptr<SignalSource> source,
          std::uint64_t number);

  void start(Instant when);
  void stop_sampling() { sampling_ = false; }
  // Leaves politely, or at once when there is no connection. REQUIRES: not sampling.
  void leave();
  bool away() const { return !connection_.is_open(); }
  std::size_t backlog() const { return backlog_; }
  std::uint64_t resent() { return connection_.core().resent(); }

 private:
  void on_event(const ClientEvent& event) override;
  void on_down(const std::string& reason) override;
  void on_timer(Instant now) override;
  void on_online(bool session_present);
  void sample(Instant now);
  void send_answers(Instant now);

  const Context context_;
  Connection connection_;
  const std::unique_ptr<SignalSource> source_;
  CommandAnswers answers_;
  Rng random_;
  Instant next_sample_ = Instant::never();
  Instant next_connect_ = Instant::never();
  Instant answer_timer_ = Instant::never();
  Duration pause_;  // Before the next attempt to connect.
  std::uint64_t sequence_ = 0;
  std::size_t backlog_ = 0;  // Telemetry and answers without acknowledgement.
  bool online_ = false;
  bool subscribed_ = false;
  bool sampling_ = true;
};

}  // namespace naru::tools

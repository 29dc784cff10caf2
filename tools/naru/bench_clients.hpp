// tools/naru/bench_clients.hpp
//
// The two kinds of clients a bench is made of. They count and check; what to do when is up to
// BenchRun.
//
// Edge: clients of the loop. Lives on the loop's thread.
// Owned by: BenchRun; borrow its plan and board.
#pragma once

#include "tools/naru/client_loop.hpp"
#include "tools/naru/delivery_checker.hpp"
#include "tools/naru/latency_histogram.hpp"

namespace naru::tools {

struct BenchPlan {
  enum class Scenario : std::uint8_t { fan_in, fan_out, pairs, offline };
  Scenario scenario = Scenario::fan_in;
  std::size_t publishers = 1;
  std::size_t subscribers = 1;
  mqtt::Qos qos = mqtt::Qos::at_least_once;
  std::size_t window = 8;  // Under way at once, of each publisher.
  std::size_t payload_size = 200;
  std::uint64_t count = 0;  // Messages of all publishers; 0: until the duration is over.
  Duration duration{0};
  double rate = 0;  // Messages a second of all publishers; 0: as fast as the window lets.
  // What makes room in a window: the acknowledgement, or the delivery to a subscriber. QoS 0 has
  // only the latter.
  bool paced_by_delivery = false;
  double connect_rate = 2000;
  std::string prefix = "bench";
};

// What all clients of a bench write on.
struct BenchBoard {
  std::uint64_t online = 0;
  std::uint64_t subscribed = 0;
  std::uint64_t published = 0;
  std::uint64_t settled = 0;  // Acknowledged or refused; QoS 0: published.
  std::uint64_t refused = 0;
  std::uint64_t received = 0;
  std::uint64_t budget = 0;  // Messages that may still be published.
  Instant last_event;        // Delivery or acknowledgement.
  LatencyHistogram acknowledgement;
  LatencyHistogram delivery;
  std::string failure;  // The first; ends the bench.
};

struct BenchContext {
  ClientLoop& loop;
  const BenchPlan& plan;
  BenchBoard& board;
};

class BenchClient : public ClientOwner {
 public:
  BenchClient(BenchContext context, ClientSettings settings);
  void open() { connection_.open(); }
  void leave();
  bool is_open() const { return connection_.is_open(); }
  const ClientSettings& settings() { return connection_.core().settings(); }

 protected:
  virtual void on_online() {}
  virtual void on_message(const mqtt::Publish& /*message*/) {}
  virtual void on_settled(const ClientEvent& /*event*/) {}

  BenchContext context_;
  Connection connection_;

 private:
  void on_event(const ClientEvent& event) override;
  void on_down(const std::string& reason) override;
  void fail(const std::string& reason);

  bool leaving_ = false;
};

class BenchPublisher final : public BenchClient {
 public:
  BenchPublisher(BenchContext context, ClientSettings settings, std::uint32_t number);
  // Publishes as the window allows, at most `most`, as long as the board's budget lasts.
  void publish(std::uint64_t most);
  // Makes room, when the plan is paced by delivery.
  void on_delivered();
  std::uint64_t published() const { return published_; }

 private:
  void on_settled(const ClientEvent& event) override;
  void make_room();

  const std::uint32_t number_;
  const std::string topic_;
  Bytes payload_;
  std::uint64_t published_ = 0;
  std::uint64_t under_way_ = 0;
};

class BenchSubscriber final : public BenchClient {
 public:
  BenchSubscriber(BenchContext context, ClientSettings settings, std::string filter);
  // In whose windows a delivery makes room.
  void credit(std::vector<BenchPublisher*> publishers) { credited_ = std::move(publishers); }
  const DeliveryChecker& checker() const { return checker_; }

 private:
  void on_online() override;
  void on_message(const mqtt::Publish& message) override;

  const std::string filter_;
  DeliveryChecker checker_;
  std::vector<BenchPublisher*> credited_;
};

}  // namespace naru::tools

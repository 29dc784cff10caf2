// tools/naru/bench_clients.hpp
//
// The two kinds of clients a bench is made of. They count and check; what to do when is up to
// BenchRun.
//
// Edge: clients of the loop. Lives on the loop's thread.
// Owned by: BenchRun; borrow its plan and board.
#pragma once

#include "tools/naru/bench_plan.hpp"
#include "tools/naru/client_loop.hpp"
#include "tools/naru/delivery_checker.hpp"
#include "tools/naru/latency_histogram.hpp"

namespace naru::tools {

// What all clients of a bench write on.
struct BenchBoard {
  std::uint64_t online = 0;
  bool answered = false;      // The broker did, if only to refuse.
  std::uint64_t resumed = 0;  // Of those that came online: by a TLS ticket.
  std::uint64_t subscribed = 0;
  std::uint64_t changes = 0;  // Subscriptions ended or made by change(), and acknowledged.
  std::uint64_t published = 0;
  std::uint64_t settled = 0;  // Acknowledged or refused; QoS 0: published.
  std::uint64_t refused = 0;
  std::uint64_t received = 0;
  std::uint64_t repeated = 0;  // Of those.
  std::uint64_t dropped = 0;   // Connections that the broker ended, where that ends nothing.
  std::uint64_t budget = 0;    // Messages that may still be published.
  bool changing = false;       // Who has changed one filter changes the next.
  Instant last_event;          // Something came that a bench waits for.
  LatencyHistogram acknowledgement;
  LatencyHistogram delivery;
  LatencyHistogram connecting;  // From the first SYN to CONNACK.
  LatencyHistogram fetching;    // retained: from SUBSCRIBE to a subscriber's last message.
  LatencyHistogram lateness;    // Open loop: what the bench itself was behind.
  std::string failure;          // The first; ends the bench.
};

struct BenchContext {
  ClientLoop& loop;
  const BenchPlan& plan;
  BenchBoard& board;
};

class BenchClient : public ClientOwner {
 public:
  BenchClient(BenchContext context, ClientSettings settings);
  void open();
  void leave();
  void vanish();  // Closes without a word, as a vehicle in a tunnel does.
  bool is_open() const { return connection_.is_open(); }
  const ClientSettings& settings() { return connection_.core().settings(); }

 protected:
  virtual void on_online() {}
  virtual void on_message(const mqtt::Publish& /*message*/) {}
  virtual void on_settled(const ClientEvent& /*event*/) {}
  virtual void on_subscribed() {}

  BenchContext context_;
  Connection connection_;

 private:
  void on_event(const ClientEvent& event) override;
  void on_down(const std::string& reason) override;
  void fail(const std::string& reason);

  bool leaving_ = false;
  bool counted_ = false;  // As online.
  Instant opened_at_;
};

class BenchPublisher final : public BenchClient {
 public:
  BenchPublisher(BenchContext context, ClientSettings settings, std::uint32_t number);
  // Publishes as the window allows, at most `most`, as long as the board's budget lasts.
  void publish(std::uint64_t most);
  void publish_late(Instant intended);  // One, whatever the window.
  void clear(std::uint64_t number);     // The retained message of that number.
  // Makes room, when the plan is paced by delivery.
  void on_delivered();
  std::uint64_t published() const { return published_; }
  std::uint64_t refused() const { return refused_; }

 private:
  void on_settled(const ClientEvent& event) override;
  void make_room();
  void publish_one(Instant at);

  const std::uint32_t number_;
  std::string topic_;
  Bytes payload_;
  std::uint64_t published_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t under_way_ = 0;
};

class BenchSubscriber final : public BenchClient {
 public:
  BenchSubscriber(BenchContext context, ClientSettings settings, std::size_t number);
  // In whose windows a delivery makes room.
  void credit(std::vector<BenchPublisher*> publishers) { credited_ = std::move(publishers); }
  // Not by itself when it comes online, as it does else. Before open().
  void subscribe_later() { subscribes_ = false; }
  void subscribe();
  // Ends a subscription that nothing is published to and makes it again, then the next one, as
  // long as the board says so. REQUIRES: the plan has such filters.
  void change();
  bool is_changing() const { return under_change_; }
  const DeliveryChecker& checker() const { return checker_; }
  Duration fetch_time() const { return last_at_ - subscribed_at_; }

 private:
  void on_online() override;
  void on_message(const mqtt::Publish& message) override;
  void on_subscribed() override;

  const std::size_t number_;
  DeliveryChecker checker_;
  std::vector<BenchPublisher*> credited_;
  bool subscribes_ = true;
  bool under_change_ = false;
  std::size_t next_change_ = 0;
  Instant subscribed_at_;
  Instant last_at_;
};

}  // namespace naru::tools

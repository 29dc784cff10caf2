// tools/naru/bench_plan.hpp
//
// BenchPlan is what a bench is to do, and who of its clients gets what.
//
// Sans-IO. Lives on one thread; a value. Bounded by: the options of `naru bench`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/mqtt/types.hpp"
#include "storage/base/clock.hpp"

namespace naru::tools {

struct BenchPlan {
  enum class Scenario : std::uint8_t {
    fan_in,
    fan_out,
    pairs,
    offline,
    mixed,
    retained,
    idle,
    connect,
    filters,
    storm,
  };
  Scenario scenario = Scenario::fan_in;
  std::size_t publishers = 1;
  std::size_t subscribers = 1;
  mqtt::Qos qos = mqtt::Qos::at_least_once;
  std::size_t window = 8;  // Under way at once, of each publisher.
  std::size_t payload_size = 200;
  std::uint64_t count = 0;  // Messages of all publishers; 0: until the duration is over.
  Duration duration{0};
  double rate = 0;  // Messages a second of all publishers; 0: as fast as the window lets.
  // With a rate: a message goes out when its time has come, whatever the window, and its latency
  // counts from then. Without, a slow broker is asked for less, and looks faster than it is.
  bool open_loop = false;
  // What makes room in a window: the acknowledgement, or the delivery to a subscriber. QoS 0 has
  // only the latter.
  bool paced_by_delivery = false;
  // Each message goes to one subscriber, who gets those of his share of the publishers.
  bool split = false;
  bool few = false;      // mixed: four subscribers get a message, however many there are.
  bool lasting = false;  // Subscribers have persistent sessions, dropped in the end.
  bool resume = false;   // connect: with a TLS ticket of an earlier connection.
  double connect_rate = 2000;
  std::size_t filters = 20;   // Of each subscriber, that match nothing: mixed, filters.
  bool exact = false;         // filters: without wildcards.
  Duration phase{5'000'000};  // filters: how long is published, changed, and both; 0: not.
  std::size_t rounds = 5;     // storm: how often everybody reconnects.
  Duration hold{10'000'000};  // idle: how long the connections are watched.
  std::string prefix = "bench";

  // Sessions outlive the connections of their subscribers.
  bool keeps_sessions() const {
    return lasting || scenario == Scenario::offline || scenario == Scenario::storm;
  }
  // A publisher's messages go to a topic each.
  bool has_topic_per_message() const {
    return scenario == Scenario::retained || scenario == Scenario::idle;
  }
};

// Of the publisher's number-th message, from 1.
std::string topic_of(const BenchPlan& plan, std::size_t publisher, std::uint64_t number);
// What the subscriber asks for and gets something by.
std::string filter_of(const BenchPlan& plan, std::size_t subscriber);
// What else it asks for, to which nothing is published: mixed, filters.
std::vector<std::string> other_filters_of(const BenchPlan& plan, std::size_t subscriber);
// One of those, from 0.
std::string other_filter_of(const BenchPlan& plan, std::size_t subscriber, std::size_t n);

}  // namespace naru::tools

// broker/http/sys_topics.hpp
//
// SysTopics is what the metrics tell to MQTT clients: the $SYS topics of mosquitto whose meaning
// is the same here, and how fast the counters rise.
//
// Core: values of one scrape in, topics out. Lives on shard 0; not thread-safe.
// Owned by:   start_sys_topics(), which is the edge: a coroutine on shard 0.
// Bounded by: its tables.
#pragma once

#include <array>

#include <boost/asio/io_context.hpp>

#include "broker/http/metrics.hpp"
#include "broker/session/broker_topics.hpp"

namespace naru::broker {

class SysTopics {
 public:
  // All topics as of this scrape, `elapsed` after the one before; zero: it is the first.
  std::vector<BrokerTopic> update(const Scrape& scrape, Duration elapsed);

  static constexpr std::size_t loads = 5;  // Rows of rates.
  static constexpr std::size_t spans = 3;  // 1, 5 and 15 minutes.

 private:
  std::array<std::uint64_t, loads> counted_{};
  std::array<std::array<double, spans>, loads> per_minute_{};
};

// Tells them now and every `interval`, until the context is destroyed.
void start_sys_topics(boost::asio::io_context& first, Control* control, Duration interval);

}  // namespace naru::broker

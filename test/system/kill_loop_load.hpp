// test/system/kill_loop_load.hpp
//
// Load is the population of a kill loop and what it does: publishers at full speed, sessions that
// are online, asleep or slow, retained topics, wills, and clients that vanish at any byte.
//
// Edge by its ClientNetwork; decides nothing but by its seed. Lives on one thread.
// Owned by:   the kill loop; borrows network and history, which must outlive it.
// Bounded by: every wait ends after stall_limit without progress, with false.
//
//   publishers  QoS 1 or 2, session persistent or clean, MQTT 3.1.1 or 5
//   sessions    awake | sleeper (wakes in some rounds) | slow (acknowledges late, small window)
//   watcher     one clean live subscriber
//   mourners    three a round with a will: one vanishes, one says goodbye, one meets the crash
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "test/support/checkers.hpp"
#include "test/support/history.hpp"
#include "test/system/kill_loop_network.hpp"

namespace naru::test {

struct LoadOptions {
  std::size_t publishers = 6;
  std::size_t sessions = 6;
  std::uint64_t seed = 1;
};

struct LoadCount {
  std::size_t acked = 0, delivered = 0, repeated = 0;
};

class Load {
 public:
  static constexpr Duration stall_limit = Seconds{60};

  Load(LoadOptions options, ClientNetwork& network, History& history);

  // Everybody who should be is online and subscribed.
  bool settle();
  // Publishes until so many acknowledgements came in this round.
  bool run(std::size_t acknowledgements);
  void begin_round();
  // The broker is dead and every connection closed.
  void on_broker_dead();
  // Wakes all, lets everything arrive and writes down that it had its time.
  bool drain();
  // A fresh subscriber reads all retained messages.
  bool read_retained();

  const LoadCount& count() const { return count_; }  // Of this round.
  std::uint64_t random(std::uint64_t below) { return random_() % below; }

 private:
  enum class Kind : std::uint8_t { awake, sleeper, slow, watcher };
  struct Subscriber {
    std::size_t client;
    Kind kind;
    mqtt::Qos qos;
    std::vector<std::string> filters;
    std::set<std::uint32_t> granted;  // Filters with a SUBACK.
    bool awake = true;
    std::uint64_t asked_on = 0;  // Opening at which it last subscribed.
  };

  void add_publisher(std::size_t number);
  void add_subscriber(std::size_t number, Kind kind);
  void add_mourner(std::size_t number);
  void tend();
  void tend_subscriber(Subscriber& subscriber);
  void publish(std::size_t client);
  void disturb();
  void settle_mourners();
  void scan();
  void scan_subscriber(const Record& record);
  template <class Condition>
  bool step_until(Condition&& done);
  bool all_arrived(Violations (*check)(const Timeline&));

  LoadOptions options_;
  ClientNetwork& network_;
  History& history_;
  std::mt19937_64 random_;
  std::vector<std::size_t> publishers_, mourners_;
  std::vector<Subscriber> subscribers_;
  std::map<std::uint32_t, std::size_t> subscriber_of_;  // By client number.
  std::size_t scanned_ = 0;
  std::size_t openings_ = 0;
  LoadCount count_;
  std::set<std::uint32_t> marked_;  // Clients that got the closing message.
  MessageId marker_;
};

}  // namespace naru::test

// test/sim/sim_clients.hpp
//
// SimClients is the crowd before the simulated broker: fifty clients that obey the specification,
// each with a character.
//
// Sans-IO: time goes in, a seed decides. Lives on one thread. Owned by Simulation; the History and
// the nodes it is shown must outlive their use. Bounded by the clients' windows.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/base/rng.hpp"
#include "test/sim/sim_network.hpp"
#include "test/support/model_client.hpp"

namespace naru::test {

class SimClients {
 public:
  SimClients(std::size_t count, const Weather& weather, History& history, Rng rng);

  // Everything the clients and the network do between two turns of the broker. Without a node
  // nobody can connect.
  void step(SimNode* node, Instant now);
  // The broker is gone: what was on its way may still arrive, then everything is closed.
  void on_broker_dead(Instant now);
  // No more faults: everybody comes back and finishes what is open.
  void calm();
  // Who has not come to rest, for people; empty when everybody has.
  std::string unsettled() const;
  // A fresh client that reads all retained messages; it has to come to rest too.
  void add_reader();
  void note_drained(Instant now);
  void note_retained_read(Instant now);

  std::size_t size() const { return actors_.size(); }

 private:
  enum class Kind {
    publisher,
    clean_publisher,
    awake,
    sleeper,
    slow,
    watcher,
    mourner,
    twin,
    brief,
    both,
    reader
  };
  struct Actor {
    Actor(ModelOptions options, History& history) : client(std::move(options), history) {}
    ModelClient client;
    Kind kind = Kind::publisher;
    bool awake = true;
    bool gone = false;  // Never comes back.
    std::vector<std::string> filters;
    mqtt::Qos qos = mqtt::Qos::exactly_once;
    std::set<std::uint32_t> granted;
    std::uint32_t asked_on = 0;  // The connection on which it last subscribed.
    std::uint32_t connection = 0;
  };
  void add(Kind kind, std::size_t number);
  static ModelOptions options_of(Kind kind, std::size_t number);
  bool is_settled(const Actor& actor) const;
  void scan();
  void act(std::size_t index, SimNode* node, Instant now);
  void act_online(Actor& actor, Instant now);
  void publish(Actor& actor, Instant now);
  void open(std::size_t index, SimNode& node, Instant now);

  Weather weather_;
  History& history_;
  Rng rng_;
  std::vector<std::unique_ptr<Actor>> actors_;
  SimNetwork network_;
  std::size_t scanned_ = 0;
  bool calm_ = false;
};

}  // namespace naru::test

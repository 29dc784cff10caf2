// test/sim/sim_network.hpp
//
// SimNetwork is what lies between model clients and the simulated broker: it cuts at any byte,
// delays, and lets the broker believe for a while in connections that are gone.
//
// Sans-IO: time goes in, a seed decides. Lives on one thread. Owned by who owns the clients; these,
// the generator and the nodes it is shown must outlive their use. Bounded by the clients' windows.
#pragma once

#include <map>
#include <vector>

#include "storage/base/rng.hpp"
#include "test/sim/sim_node.hpp"
#include "test/support/model_client.hpp"

namespace naru::test {

// What a run lets happen; each seed switches some of it off.
struct Weather {
  double publish = 0.1;    // Per client and step.
  double retain = 0.1;     // Of publishes.
  double cut = 0.0005;     // Per client and step: the connection breaks.
  double leave = 0.001;    // Says goodbye.
  double wake = 0.3;       // Of who is away and wants to be here, per step.
  double partial = 0.3;    // Of deliveries of bytes: only a part arrives.
  double stall = 0.01;     // Per link and step: nothing arrives for a while.
  double half_open = 0.5;  // Of cuts: the broker does not notice at once.
  double unsubscribe = 0.0;
  double clean_start = 0.0;  // Of reconnects of those that could go on.
};

class SimNetwork {
 public:
  // first: the number of its first link; two networks before one node have numbers of their own.
  SimNetwork(LinkId first, const Weather& weather, Rng& rng);

  // Its place here, from 0. narrow: it is on a line that takes little at a time.
  std::size_t add(ModelClient& client, bool narrow);
  void open(std::size_t place, SimNode& node, Instant now);
  // The connection breaks; the client may be torn down itself.
  void cut(std::size_t place, Instant now);
  // Carries bytes and endings both ways.
  void step(SimNode& node, Instant now);
  // The broker is gone: what was on its way may still arrive, then everything is closed.
  void on_broker_dead(Instant now);
  void calm();  // No more faults.

 private:
  struct End {
    ModelClient* client;
    bool narrow;
    LinkId link = 0;  // 0: none.
  };
  struct Link {
    std::size_t end = 0;
    bool attached = true;  // The client still has it.
    Bytes up, down;
    Instant up_at, down_at, hang_up_at = Instant::never();
  };

  void detach(std::size_t place, Instant now, bool half_open);
  bool pump(LinkId id, Link& link, SimNode& node, Instant now);
  void pump_up(LinkId id, Link& link, SimNode& node, Instant now);
  void pump_down(LinkId id, Link& link, SimNode& node, Instant now);
  Bytes take_some(Bytes& bytes);

  Weather weather_;
  Rng& rng_;
  std::vector<End> ends_;
  std::map<LinkId, Link> links_;
  LinkId last_link_;
  bool calm_ = false;
};

}  // namespace naru::test

// test/sim/group_load.hpp
//
// GroupLoad is the members of shared subscriptions before the simulated broker: with sessions that
// last and without, awake, asleep, slow and fickle, who leave their groups in every way there is.
// What they share is what the crowd publishes, so that a publish has sessions and groups to reach.
//
// Sans-IO: virtual time, a seed decides. Lives on one thread. Owned by Simulation; the History and
// the nodes it is shown must outlive their use. Bounded by its members' windows.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "test/sim/sim_network.hpp"

namespace naru::test {

struct MemberManner;

class GroupLoad {
 public:
  GroupLoad(const Weather& weather, History& history, Rng rng);
  ~GroupLoad();

  // What members and network do between two turns of the broker.
  void step(SimNode* node, Instant now);
  void on_broker_dead(Instant now);
  // No more faults: everybody comes back; who has left a group stays out of it.
  void calm(Instant now);
  // Who has not come to rest, for people; empty when everybody has.
  std::string unsettled() const;
  void note_drained(Instant now);
  std::size_t received() const { return received_; }  // Messages by all members together.
  // When everything rests: what the leaders of groups know that is not so.
  std::vector<std::string> wrong_members(SimNode& node) const;

 private:
  struct Member;

  void add(const MemberManner& manner);
  void scan();
  void on_record(Member& member, const Record& record);
  void on_subscribed(Member& member, const Record& record);
  void on_unsubscribed(Member& member, const Record& record);
  void act(std::size_t place, SimNode* node, Instant now);
  void act_online(Member& member, Instant now);
  void ask(Member& member, Instant now);
  bool is_settled(const Member& member) const;

  Weather weather_;
  History& history_;
  Rng rng_;
  SimNetwork network_;
  std::vector<std::unique_ptr<Member>> members_;  // Places as in the network.
  std::size_t scanned_ = 0, received_ = 0;
  bool calm_ = false;
};

}  // namespace naru::test

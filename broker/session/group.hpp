// broker/session/group.hpp
//
// Group is what the leader of a group's lane knows of a shared subscription beyond its queue: who
// its members are, who holds which message, and whose turn it is.
//
// A group is a session of its own, in the lane of its name: it has one filter and a queue, and is
// kept, read back and copied like any other. A message waits in that queue until a member has it:
//
//   waiting --lend--> held by a member --PUBACK, or PUBREC--> done --commit--> (PUBREL)
//      ^                    |
//      +--- given back -----+   its connection or session ended first
//
// Sans-IO. Lives on the shard that owns the lane; not thread-safe. Owned by its Session.
// Bounded by: lent_at_once messages a member; members by the connections and sessions there are.
// Spec: MQTT 5.0 section 4.8.2.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/session/after_cursor.hpp"
#include "broker/session/hops_of_groups.hpp"
#include "broker/session/session_queue.hpp"

namespace naru::broker {

// Of Reference::options and Delivery::options: a group lends the message; it has the name below.
inline constexpr std::uint8_t lent_flag = 8;

// A group's session has this client id, which no client can have.
Bytes group_client_id(BytesView shared_filter);
bool is_group(BytesView client_id);
LaneId lane_of_group(BytesView shared_filter);

// The name of a message that a group has lent, instead of the one its publisher gave it: whoever
// holds it knows by it, also after a start, which place of which queue it answers for.
storage::Origin origin_of(const GroupPlace& place);
GroupPlace place_of(const storage::Origin& origin);

class Group {
 public:
  struct Member {
    hop::GroupMember says;
    std::uint32_t holds = 0;
    bool connected() const { return says.state == MemberState::connected; }
  };

  // Takes over what a member says of itself.
  void put(hop::GroupMember member);
  bool empty() const { return members_.empty(); }
  std::size_t size() const { return members_.size(); }
  bool has_taker() const;  // With room.
  // Of QoS 0: the next in turn among those who are connected. Null: there is none.
  Member* next_connected();

  // A message that nobody holds and who is to have it, the next in turn of those with room for it.
  struct Turn {
    std::uint64_t number = 0;  // 0: nothing can be lent now.
    Member* to = nullptr;      // Null: none of the members can take this message, now or later.
  };
  Turn next_turn(const SessionQueue& queue);
  void pass_turn(const Member& had);
  void lend(std::uint64_t number, Member& to);
  // At a start: a session has it in its queue.
  void hold(std::uint64_t number) { held_[number] = {}; }
  bool is_held(std::uint64_t number) const { return held_.contains(number); }
  // Nobody holds it any more. False: nobody did.
  bool take_back(std::uint64_t number);
  void give_back(std::uint64_t number);
  // Whoever holds it cannot take it: it is for the others. Before take_back().
  void refuse(std::uint64_t number);
  void forget(std::uint64_t number);

  bool stalled = false;                    // A member's lane found no room: to be tried again.
  AfterCursor<hop::GroupAnswer> receipts;  // PUBRECs whose PUBREL waits for a cursor.

 private:
  struct Holder {
    Route::Kind kind = Route::Kind::rule;  // A rule: nobody who is a member now.
    std::uint64_t owner = 0;
    std::uint16_t place = 0;
    auto operator<=>(const Holder&) const = default;
  };
  using Holders = std::vector<Holder>;  // In order.
  static Holder holder_of(const Member& member);
  Member* find(const Holder& holder);
  template <class Fits>
  Member* next_member(const Fits& fits);
  const Holders& refused_by(std::uint64_t number) const;
  void forget_returned(std::uint64_t number);
  void may_fit_again(const Holder& member);

  std::vector<Member> members_;
  std::size_t turn_ = 0;
  std::uint64_t next_ = 1;  // All before it was lent, or is done.
  // What was lent and came back, by who cannot take it.
  std::map<Holders, std::set<std::uint64_t>> returned_;
  boost::unordered_flat_map<std::uint64_t, Holder> held_;
  boost::unordered_flat_map<std::uint64_t, Holders> unfit_;  // Who cannot take a message.
};

}  // namespace naru::broker

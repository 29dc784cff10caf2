#include "broker/session/group.hpp"

#include <algorithm>

#include "cluster/lanes/lane_id.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

constexpr char group_mark[] = {'\0', 'g'};  // No MQTT string has a zero.
// Shards are few: no publisher's origin has such a one. The lane stands below.
constexpr std::uint16_t lent_shard = 0x4000;

}  // namespace

Bytes group_client_id(BytesView shared_filter) {
  return Bytes{group_mark, sizeof group_mark}.append(shared_filter);
}

bool is_group(BytesView client_id) {
  return client_id.starts_with(BytesView{group_mark, sizeof group_mark});
}

LaneId lane_of_group(BytesView shared_filter) {
  return cluster::lane_of(group_client_id(shared_filter));
}

storage::Origin origin_of(const GroupPlace& place) {
  return {place.group, 0, static_cast<std::uint16_t>(lent_shard | place.lane), place.number};
}

GroupPlace place_of(const storage::Origin& origin) {
  const auto lane = static_cast<LaneId>(origin.shard & (cluster::lane_count - 1));
  return {lane, origin.node, origin.number};
}

// ---- members -----------------------------------------------------------------------------------

void Group::put(hop::GroupMember member) {
  Member* const known = find({member.kind, member.owner, member.place});
  if (member.state == MemberState::left) {
    if (known != nullptr) members_.erase(members_.begin() + (known - members_.data()));
  } else if (known != nullptr) {
    known->says = std::move(member);
  } else {
    members_.push_back({std::move(member), 0});
  }
}

Group::Member* Group::find(const Holder& holder) {
  const auto found = std::ranges::find_if(members_, [&](const Member& each) {
    return each.says.kind == holder.kind && each.says.owner == holder.owner &&
           each.says.place == holder.place;
  });
  return found == members_.end() ? nullptr : &*found;
}

template <class Fits>
Group::Member* Group::next_member(const Fits& fits) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& each = members_[(turn_ + i) % members_.size()];
    if (!fits(each)) continue;
    turn_ = (turn_ + i + 1) % members_.size();
    return &each;
  }
  return nullptr;
}

namespace {

bool may_take(const Group::Member& member) {
  const auto most = std::min(member.says.window, limits::lent_at_once);
  return member.connected() && member.holds < most;
}

}  // namespace

bool Group::has_taker() const { return std::ranges::any_of(members_, may_take); }

Group::Member* Group::next_taker() { return next_member(may_take); }

Group::Member* Group::next_connected() {
  return next_member([](const Member& each) { return each.connected(); });
}

// ---- messages ----------------------------------------------------------------------------------

std::uint64_t Group::next_number(const SessionQueue& queue) {
  const auto is_open = [&](std::uint64_t number) {
    return number > queue.acked_through() && number <= queue.last() &&
           queue.at(number).state != SessionQueue::State::done;
  };
  while (!returned_.empty() && !is_open(*returned_.begin())) returned_.erase(returned_.begin());
  if (!returned_.empty()) return *returned_.begin();
  next_ = std::max(next_, queue.acked_through() + 1);
  while (next_ <= queue.last() && (!is_open(next_) || is_held(next_))) ++next_;
  // Who never answers holds up the group in the end, or its cursor would grow without bound.
  const bool far = next_ - queue.acked_through() > queue_packet_ids;
  return next_ > queue.last() || far ? 0 : next_;
}

void Group::lend(std::uint64_t number, Member& to) {
  held_[number] = {to.says.kind, to.says.owner, to.says.place};
  ++to.holds;
  returned_.erase(number);
}

bool Group::take_back(std::uint64_t number) {
  const auto held = held_.find(number);
  if (held == held_.end()) return false;
  Member* const member = find(held->second);
  if (member != nullptr && member->holds > 0) --member->holds;
  held_.erase(held);
  return true;
}

void Group::forget(std::uint64_t number) {
  returned_.erase(number);
  unfit_.erase(number);
}

}  // namespace naru::broker

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
  const Holder holder{member.kind, member.owner, member.place};
  Member* const known = find(holder);
  if (member.state == MemberState::left) {
    if (known != nullptr) members_.erase(members_.begin() + (known - members_.data()));
  } else if (known != nullptr) {
    // It may have come back with another limit, or with other rights.
    if (!known->connected() && member.state == MemberState::connected) may_fit_again(holder);
    known->says = std::move(member);
  } else {
    members_.push_back({std::move(member), 0});
  }
}

Group::Holder Group::holder_of(const Member& member) {
  return {member.says.kind, member.says.owner, member.says.place};
}

Group::Member* Group::find(const Holder& holder) {
  const auto found =
      std::ranges::find_if(members_, [&](const Member& each) { return holder_of(each) == holder; });
  return found == members_.end() ? nullptr : &*found;
}

template <class Fits>
Group::Member* Group::next_member(const Fits& fits) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& each = members_[(turn_ + i) % members_.size()];
    if (fits(each)) return &each;
  }
  return nullptr;
}

void Group::pass_turn(const Member& had) {
  turn_ = static_cast<std::size_t>(&had - members_.data()) + 1;
}

Group::Member* Group::next_connected() {
  Member* const next = next_member([](const Member& each) { return each.connected(); });
  if (next != nullptr) pass_turn(*next);
  return next;
}

// ---- messages ----------------------------------------------------------------------------------

namespace {

bool may_take(const Group::Member& member) {
  const auto most = std::min(member.says.window, limits::lent_at_once);
  return member.connected() && member.holds < most;
}

bool is_open(const SessionQueue& queue, std::uint64_t number) {
  return number > queue.acked_through() && number <= queue.last() &&
         queue.at(number).state != SessionQueue::State::done;
}

}  // namespace

bool Group::has_taker() const { return std::ranges::any_of(members_, may_take); }

Group::Turn Group::next_turn(const SessionQueue& queue) {
  for (auto at = returned_.begin(); at != returned_.end();) {
    const Holders& refusers = at->first;
    std::set<std::uint64_t>& numbers = at->second;
    while (!numbers.empty() && !is_open(queue, *numbers.begin())) {
      unfit_.erase(*numbers.begin());
      numbers.erase(numbers.begin());
    }
    if (numbers.empty()) {
      at = returned_.erase(at);
      continue;
    }
    const auto is_fit = [&](const Member& each) {
      return !std::ranges::binary_search(refusers, holder_of(each));
    };
    if (!empty() && std::ranges::none_of(members_, is_fit)) return {*numbers.begin(), nullptr};
    Member* const to =
        next_member([&](const Member& each) { return may_take(each) && is_fit(each); });
    if (to != nullptr) return {*numbers.begin(), to};
    ++at;
  }
  Member* const to = next_member(may_take);
  if (to == nullptr) return {};
  next_ = std::max(next_, queue.acked_through() + 1);
  while (next_ <= queue.last() &&
         (!is_open(queue, next_) || is_held(next_) || unfit_.contains(next_))) {
    ++next_;
  }
  // Who never answers holds up the group in the end, or its cursor would grow without bound.
  const bool far = next_ - queue.acked_through() > queue_packet_ids;
  return next_ > queue.last() || far ? Turn{} : Turn{next_, to};
}

void Group::lend(std::uint64_t number, Member& to) {
  forget_returned(number);
  held_[number] = holder_of(to);
  ++to.holds;
}

bool Group::take_back(std::uint64_t number) {
  const auto held = held_.find(number);
  if (held == held_.end()) return false;
  Member* const member = find(held->second);
  if (member != nullptr && member->holds > 0) --member->holds;
  held_.erase(held);
  return true;
}

const Group::Holders& Group::refused_by(std::uint64_t number) const {
  static const Holders nobody;
  const auto found = unfit_.find(number);
  return found == unfit_.end() ? nobody : found->second;
}

void Group::give_back(std::uint64_t number) { returned_[refused_by(number)].insert(number); }

void Group::refuse(std::uint64_t number) {
  const auto held = held_.find(number);
  if (held == held_.end()) return;
  Holders& refusers = unfit_[number];
  const auto place = std::ranges::lower_bound(refusers, held->second);
  if (place == refusers.end() || *place != held->second) refusers.insert(place, held->second);
}

void Group::forget_returned(std::uint64_t number) {
  const auto waiting = returned_.find(refused_by(number));
  if (waiting == returned_.end()) return;
  waiting->second.erase(number);
  if (waiting->second.empty()) returned_.erase(waiting);
}

void Group::forget(std::uint64_t number) {
  forget_returned(number);
  unfit_.erase(number);
}

void Group::may_fit_again(const Holder& member) {
  for (auto at = unfit_.begin(); at != unfit_.end(); ++at) {
    const std::uint64_t number = at->first;
    Holders refusers = at->second;
    const bool was_unfit = std::erase(refusers, member) != 0;
    const bool waits = was_unfit && !is_held(number);
    if (waits) forget_returned(number);
    if (was_unfit) at->second = std::move(refusers);
    if (waits) give_back(number);
  }
}

}  // namespace naru::broker

#include "broker/session/lane_groups.hpp"

#include <algorithm>
#include <utility>

#include "broker/mqtt/topics.hpp"
#include "broker/session/lane_parts.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

constexpr std::uint8_t qos_bits = 3;
constexpr std::uint8_t retain_flag = 4;                          // Of Reference and Delivery.
constexpr std::uint8_t retain_as_published = 8;                  // Of a subscription.
constexpr std::uint8_t group_options = 2 | retain_as_published;  // Its members' limit them.
constexpr std::uint32_t never_expires = 0xffffffff;

// What a member's subscription makes of a message.
std::uint8_t options_for(const Group::Member& member, std::uint8_t options) {
  const int asked = member.says.options;
  const int qos = std::min(options & qos_bits, asked & qos_bits);
  const bool retain = (options & retain_flag) != 0 && (asked & retain_as_published) != 0;
  return static_cast<std::uint8_t>(qos | (retain ? retain_flag : 0));
}

bool is_open(const SessionQueue& queue, std::uint64_t number) {
  return number > queue.acked_through() && number <= queue.last() &&
         queue.at(number).state != SessionQueue::State::done;
}

}  // namespace

// ---- members -----------------------------------------------------------------------------------

void LaneGroups::on(hop::GroupMember& member) {
  const Bytes client_id = group_client_id(member.group);
  if (parts_.clients.is_busy(client_id)) return parts_.clients.wait(client_id, std::move(member));
  const auto failed = failed_.find(client_id);  // Who came before has to be heard first.
  if (failed != failed_.end()) return failed->second.emplace_back(std::move(member)), void();
  LaneState& lane = context_.led(lane_of_group(member.group));
  Client* const client = lane.find_client(client_id);
  if (client == nullptr || !client->session) {
    if (member.state != MemberState::left) open(client_id, member);
    return;
  }
  Session& session = *client->session;
  if (member.reply != 0) {
    context_.to_front(member.reply, hop::GroupJoined{member.reply, member.packet_id});
  }
  session.group->put(std::move(member));
  if (session.group->empty()) return end(lane, session);
  parts_.queues.touch(lane, session);
}

// Its first member waits until the group is on disk, and so does its SUBACK.
void LaneGroups::open(const Bytes& client_id, hop::GroupMember& member) {
  LaneState& lane = context_.led(lane_of_group(member.group));
  SessionRow row;
  row.number = lane.log().next().packed();
  row.expiry_s = never_expires;
  row.created_at = context_.store_now;
  const SessionNumber number = row.number;
  context_.output.horizon.push_back(
      {HorizonChange::Kind::session_opened, lane.lane(), number, 0, {}});
  const Bytes filter{mqtt::parse_shared(member.group)->filter};
  parts_.clients.wait(client_id, std::move(member));
  UnitDraft unit{context_.units};
  unit.add(lane, SessionPut{client_id, std::move(row), 0});
  unit.add(lane, FiltersPut{number, {{filter, group_options, 0}}});
  unit.submit(true);
}

// The last member has gone, and what waits is for nobody.
void LaneGroups::end(LaneState& lane, Session& session) {
  context_.counters.dropped_group_ended += session.queue.waiting();
  const Bytes client_id = session.client_id;
  parts_.clients.begin(client_id);
  UnitDraft unit{context_.units};
  unit.add(lane, SessionErased{client_id, session.number});
  unit.submit(true);
}

void LaneGroups::retry() {
  for (auto& [client_id, hops] : std::exchange(failed_, {})) {
    for (ClientHop& hop : hops) {
      on(std::get<hop::GroupMember>(hop));
    }
    LaneState& lane = context_.led(cluster::lane_of(client_id));
    Client* const client = lane.find_client(client_id);
    const bool ends = client != nullptr && client->session->group->empty();
    if (ends && !parts_.clients.is_busy(client_id)) end(lane, *client->session);
  }
  for (const auto& [lane_id, number] : std::exchange(stalled_, {})) {
    LaneState& lane = context_.led(lane_id);
    Session* const session = lane.find_session(number);
    if (session == nullptr) continue;
    session->group->stalled = false;
    parts_.queues.touch(lane, *session);
  }
}

// ---- messages to members -----------------------------------------------------------------------

void LaneGroups::dispatch(LaneState& lane, Session& session) {
  Group& group = *session.group;
  while (!group.stalled) {
    const auto [number, to] = group.next_turn(session.queue);
    if (number == 0) return;
    if (to == nullptr) {
      ++context_.counters.dropped_unfit;
      session.queue.drop(number);
      group.forget(number);
      continue;
    }
    SessionQueue::Entry& entry = session.queue.at(number);
    if (!entry.message) parts_.queues.fetch(lane, session, number);
    if (!entry.message) return;
    if (entry.message->expired(context_.store_now)) {
      ++context_.counters.dropped_expired;
      session.queue.drop(number);
      group.forget(number);
      continue;
    }
    lend(lane, session, number, *to);
  }
}

void LaneGroups::lend(LaneState& lane, Session& session, std::uint64_t number, Group::Member& to) {
  session.group->pass_turn(to);
  SessionQueue::Entry& entry = session.queue.at(number);
  const MessageRef message = std::exchange(entry.message, nullptr);
  const std::uint8_t options = options_for(to, entry.options);
  if ((options & qos_bits) == 0) {
    to_member(to, Carried{message}, options);
    session.queue.drop(number);
    session.group->forget(number);
    return;
  }
  parts_.queues.remember(entry.journal_number, message);
  if (context_.settings.planted == PlantedFault::lend_twice) {
    pass_on(*session.group, Carried{message}, entry.options);
  }
  session.group->lend(number, to);
  const GroupPlace place{lane.lane(), session.number, number};
  if (to.says.kind == Route::Kind::connection) {
    hop::GroupLend lend{to.says.owner, place, options, Carried{message}, {}};
    if (to.says.subscription_id != 0) lend.subscription_ids = {to.says.subscription_id};
    return context_.to_front(to.says.owner, std::move(lend));
  }
  MessageView view = message->view();
  view.origin = origin_of(place);
  to_member(to, Carried{Message::make(view)}, static_cast<std::uint8_t>(options | lent_flag));
}

// QoS 0: who is connected gets it at once, or nobody does.
void LaneGroups::pass_on(Group& group, const Carried& message, std::uint8_t options) {
  Group::Member* const member = group.next_connected();
  if (member != nullptr) to_member(*member, message, options_for(*member, options));
}

// As a publish that matched this member alone.
void LaneGroups::to_member(const Group::Member& to, Carried message, std::uint8_t options) {
  hop::PublishTo publish{std::move(message), {}, false, {}};
  Delivery& delivery = publish.deliveries.emplace_back();
  delivery = {to.says.kind, to.says.place, to.says.owner, options, {}};
  if (to.says.subscription_id != 0) delivery.subscription_ids = {to.says.subscription_id};
  const bool is_here = to.says.kind == Route::Kind::connection;
  const std::uint16_t shard =
      is_here ? to.says.place : context_.settings.shard_of_lane(to.says.place);
  context_.output.hops[shard].emplace_back(std::move(publish));
}

void LaneGroups::on(const hop::GroupAnswer& answer) {
  const GroupPlace& place = answer.place;
  LaneState& lane = context_.led(place.lane);
  Session* const session = lane.find_session(place.group);
  if (session == nullptr || !session->group) {
    if (answer.kind == AnswerKind::received) confirm(answer);
    return;
  }
  Group& group = *session->group;
  SessionQueue& queue = session->queue;
  if (answer.kind == AnswerKind::unfit) group.refuse(place.number);
  const bool was_held = group.take_back(place.number);
  const bool goes_on = was_held && is_open(queue, place.number);
  switch (answer.kind) {
    case AnswerKind::done:
    case AnswerKind::received: {
      const bool is_new = is_open(queue, place.number);
      if (is_new) queue.drop(place.number);
      group.forget(place.number);
      if (answer.kind == AnswerKind::done) break;
      // PUBREL follows when it is on disk that no other member gets this message.
      if (queue.cursor_dirty()) {
        group.receipts.add(answer);
      } else if (session->cursors_in_flight != 0) {
        group.receipts.add_to_current(answer);
      } else {
        confirm(answer);
      }
      break;
    }
    case AnswerKind::unfit:
    case AnswerKind::returned:
    case AnswerKind::failed:
      if (goes_on && context_.settings.planted != PlantedFault::forget_given_back) {
        group.give_back(place.number);
      }
      if (answer.kind != AnswerKind::failed || group.stalled) break;
      group.stalled = true;
      stalled_.emplace_back(place.lane, place.group);
      break;
  }
  parts_.queues.touch(lane, *session);
}

void LaneGroups::confirm(const hop::GroupAnswer& answer) {
  hop::GroupTaken taken{answer.connection, answer.packet_id, answer.lane, answer.session,
                        answer.number};
  if (answer.session == 0) return context_.to_front(answer.connection, taken);
  context_.to_leader_of(answer.lane, taken);
}

bool LaneGroups::cursor_begins(Session& session) {
  const bool returns = session.returns.begin();
  return (session.group && session.group->receipts.begin()) || returns;
}

void LaneGroups::cursor_committed(Session& session) {
  for (const hop::GroupAnswer& each : session.returns.take_committed()) answer(each);
  if (!session.group) return;
  for (const hop::GroupAnswer& each : session.group->receipts.take_committed()) confirm(each);
}

void LaneGroups::cursor_failed(Session& session) {
  session.returns.put_back();
  if (session.group) session.group->receipts.put_back();
}

void LaneGroups::failed(const Bytes& client_id, std::deque<ClientHop> waiting) {
  failed_[client_id] = std::move(waiting);
}

// ---- for sessions that are members -------------------------------------------------------------

void LaneGroups::answer(const hop::GroupAnswer& answer) {
  context_.to_leader_of(answer.place.lane, answer);
}

void LaneGroups::tell(MemberState state, LaneId lane, SessionNumber session, const FilterRow& row) {
  hop::GroupMember member{row.filter,  Route::Kind::session, lane, session, state,
                          row.options, row.subscription_id,  0,    0,       0};
  if (state == MemberState::connected) {
    const Presence* const presence =
        parts_.clients.find(context_.led(lane).find_session(session)->client_id);
    member.window = presence == nullptr ? std::uint16_t{1} : presence->window;
  }
  const LaneId home = lane_of_group(row.filter);
  context_.to_leader_of(home, std::move(member));
}

// It has connected, or is away.
void LaneGroups::tell_all(LaneState& lane, Session& session) {
  const MemberState state = session.connection != 0 ? MemberState::connected : MemberState::away;
  for (const FilterRow& row : session.filters) {
    if (mqtt::is_shared(row.filter)) tell(state, lane.lane(), session.number, row);
  }
}

// What of its lent messages has come to an end, in whatever way.
void LaneGroups::settle_lent(Session& session) {
  for (auto at = session.lent.begin(); at != session.lent.end();) {
    if (is_open(session.queue, at->first)) {
      ++at;
      continue;
    }
    answer(answer_of(at->second, AnswerKind::done));
    session.lent.erase(at++);
  }
}

// Its client has gone. Another member may have what it has not acknowledged; but a QoS 2 message
// that it may have seen waits for it, under the id it knows, as long as the session lives.
void LaneGroups::give_back_lent(LaneState& lane, Session& session) {
  for (auto at = session.lent.begin(); at != session.lent.end();) {
    const std::uint64_t number = at->first;
    const bool open = is_open(session.queue, number);
    const bool twice = open && (session.queue.at(number).options & qos_bits) == 2;
    if (twice && session.queue.sent_before(number)) {
      ++at;
      continue;
    }
    if (twice) {
      session.returns.add(answer_of(at->second, AnswerKind::returned));
    } else {
      answer(answer_of(at->second, open ? AnswerKind::returned : AnswerKind::done));
    }
    if (open) session.queue.drop(number);
    session.lent.erase(at++);
    parts_.queues.touch(lane, session);
  }
}

bool LaneGroups::refuse_lent(LaneState& lane, Session& session, std::uint64_t number) {
  const auto lent = session.lent.find(number);
  if (lent == session.lent.end()) return false;
  const bool twice = (session.queue.at(number).options & qos_bits) == 2;
  const hop::GroupAnswer unfit = answer_of(lent->second, AnswerKind::unfit);
  session.lent.erase(lent);
  session.queue.drop(number);
  parts_.queues.touch(lane, session);
  if (twice) {
    session.returns.add(unfit);
  } else {
    answer(unfit);
  }
  return true;
}

// After a start. The group has kept what it had lent; only a QoS 2 message that the client may know
// stays with it, and what became of the others is not for this session to say any more.
void LaneGroups::restart(LaneState& lane, Session& session) {
  for (auto at = session.lent.begin(); at != session.lent.end();) {
    const std::uint64_t number = at->first;
    const bool open = is_open(session.queue, number);
    if (open && (session.queue.at(number).options & qos_bits) == 2) {
      // It may have been sent.
      session.queue.apply(CursorRow{session.queue.acked_through(), number, {}, {}});
      ++at;
      continue;
    }
    if (open) session.queue.drop(number);
    session.lent.erase(at++);
  }
  if (session.queue.cursor_dirty()) parts_.queues.touch(lane, session);
  tell_all(lane, session);
  if (session.group && session.group->empty()) end(lane, session);
}

void LaneGroups::on(const hop::GroupTaken& taken) {
  LaneState& lane = context_.led(taken.lane);
  Session* const session = lane.find_session(taken.session);
  if (session == nullptr || !is_open(session->queue, taken.number)) return;
  if (session->queue.at(taken.number).state != SessionQueue::State::sent) return;
  if (session->queue.on_pubrec(taken.number)) session->lent.erase(taken.number);
  parts_.queues.touch(lane, *session);
}

}  // namespace naru::broker

// LaneQueues' part that sends what waits, reads it back where it has to, and commits cursors.

#include <algorithm>
#include <utility>

#include "broker/session/lane_parts.hpp"
#include "storage/base/check.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr std::size_t recent_messages = 1024;  // Shared by sessions that drain together.
constexpr std::uint64_t fetch_at_once = 256;   // Messages of one session read back together.
}  // namespace

LaneQueues::LaneQueues(LaneContext& context, LaneParts& parts)
    : context_(context), parts_(parts), recent_(recent_messages) {}

void LaneQueues::remember(std::uint64_t journal_number, const MessageRef& message) {
  recent_[journal_number % recent_.size()] = {journal_number, message};
}

void LaneQueues::touch(LaneState& lane, Session& session) {
  if (session.dirty) return;
  session.dirty = true;
  touched_.emplace_back(lane.lane(), session.number);
}

void LaneQueues::end_turn() {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    LaneState& lane = context_.led(touched_[i].first);
    Session* const session = lane.find_session(touched_[i].second);
    if (session == nullptr) continue;
    session->dirty = false;
    parts_.filters.go_on(lane, *session);
    if (session->group) parts_.groups.dispatch(lane, *session);
    if (session->connection != 0) pump(lane, *session);
    if (!session->lent.empty() && session->connection != 0) parts_.groups.settle_lent(*session);
    if (!session->lent.empty() && session->connection == 0)
      parts_.groups.give_back_lent(lane, *session);
    commit_cursor(lane, *session);
  }
  touched_.clear();
}

// At most one such cursor of a session is on its way; what happens meanwhile goes with the next.
void LaneQueues::commit_cursor(LaneState& lane, Session& session) {
  if (session.cursors_in_flight != 0 || !session.queue.cursor_dirty()) return;
  ++session.cursors_in_flight;
  const bool is_awaited = parts_.groups.cursor_begins(session);
  const bool urgent = session.queue.cursor_urgent() || is_awaited;
  UnitDraft unit{context_.units};
  unit.add(lane, CursorPut{session.number, session.queue.take_cursor()});
  unit.submit(urgent);
}

// Others wait for a cursor of commit_cursor(), and nobody for this one.
void LaneQueues::save_sent(LaneState& lane, Session& session, UnitDraft& unit) {
  if (!session.queue.sent_dirty()) return;
  ++session.cursors_in_flight;
  unit.add(lane, CursorPut{session.number, session.queue.take_sent()});
}

void LaneQueues::pump(LaneState& lane, Session& session) {
  while (const std::uint64_t number = session.queue.next_to_send()) {
    const SessionQueue::State state = session.queue.at(number).state;
    if (state == SessionQueue::State::waiting) {
      if (!send_waiting(lane, session, number)) return;
      continue;
    }
    if (state == SessionQueue::State::released) {
      context_.to_front(session.connection,
                        hop::QueueRelease{session.connection, SessionQueue::packet_id_of(number)});
    }
    session.queue.on_sent(number);  // Its PUBREL follows the commit where it is still owed.
  }
}

// False: nothing can be sent before a message is back in memory.
bool LaneQueues::send_waiting(LaneState& lane, Session& session, std::uint64_t number) {
  const SessionQueue::Entry& entry = session.queue.at(number);
  if (!entry.message) {
    fetch(lane, session, number);
    return session.queue.next_to_send() != number || session.queue.at(number).message != nullptr;
  }
  const auto command = session.commands.find(number);
  const bool is_command = command != session.commands.end();
  // A QoS 2 message whose delivery has begun goes on: its client may wait for PUBREL.
  const bool begun = (entry.options & 3) == 2 && session.queue.sent_before(number);
  if (!begun && entry.message->expired(context_.store_now)) {
    ++context_.counters.dropped_expired;
    session.queue.drop(number);
    if (is_command) session.commands.erase(command);
    return true;
  }
  if (is_command) {
    const CommandRow* const row = lane.ledger().find(session.client_id, command->second);
    if (row == nullptr || has_ended(state_of(*row))) {
      session.queue.drop(number);
      session.commands.erase(command);
      return true;
    }
    parts_.commands.step(lane, session.client_id, command->second, CommandState::sent, false);
  }
  context_.to_front(
      session.connection,
      hop::QueueDeliver{session.connection, session.epoch, SessionQueue::packet_id_of(number),
                        entry.options, session.queue.sent_before(number), Carried{entry.message},
                        session.queue.subscription_ids(entry)});
  session.queue.on_sent(number);
  return true;
}

// Asks for what the window can take from `number` on, unless it was read a moment ago.
void LaneQueues::fetch(LaneState& lane, Session& session, std::uint64_t number) {
  if (session.fetching) return;
  Fetch wanted{lane.lane(), session.number, 0, {}, {}};
  const std::uint64_t last = std::min(session.queue.last(), number + fetch_at_once);
  std::uint64_t bytes = 0;
  for (std::uint64_t each = number; each <= last && bytes < in_flight_bytes_max; ++each) {
    SessionQueue::Entry& entry = session.queue.at(each);
    bytes += entry.size;
    if (entry.state != SessionQueue::State::waiting || entry.message) continue;
    if (session.group && session.group->is_held(each)) continue;
    const auto& recent = recent_[entry.journal_number % recent_.size()];
    if (recent.first == entry.journal_number && recent.second) {
      entry.message = recent.second;
      continue;
    }
    wanted.numbers.push_back(each);
    wanted.journal_numbers.push_back(entry.journal_number);
  }
  if (wanted.numbers.empty()) return;
  session.fetching = true;
  context_.output.fetches.push_back(std::move(wanted));
}

void LaneQueues::on_fetched(const Fetched& fetched) {
  LaneState& lane = context_.led(fetched.request.lane);
  Session* const session = lane.find_session(fetched.request.session);
  if (session == nullptr) return;
  session->fetching = false;
  for (std::size_t i = 0; i < fetched.messages.size(); ++i) {
    const std::uint64_t number = fetched.request.numbers[i];
    if (number <= session->queue.acked_through()) continue;
    SessionQueue::Entry& entry = session->queue.at(number);
    if (entry.state != SessionQueue::State::waiting) continue;
    if (!fetched.messages[i]) {
      ++context_.counters.dropped_lost;
      session->queue.drop(number);
      continue;
    }
    entry.message = fetched.messages[i];
    remember(entry.journal_number, entry.message);
  }
  touch(lane, *session);
}

// ---- cursors -----------------------------------------------------------------------------------

void LaneQueues::cursor_committed(LaneState& lane, const CursorPut& record) {
  context_.output.horizon.push_back({HorizonChange::Kind::session_passed,
                                     lane.lane(),
                                     record.session,
                                     record.cursor.acked_through,
                                     {}});
  Session* const session = lane.find_session(record.session);
  if (session == nullptr) return;
  --session->cursors_in_flight;
  parts_.groups.cursor_committed(*session);
  send_releases(*session);
}

void LaneQueues::cursor_failed(LaneState& lane, SessionNumber number) {
  Session* const session = lane.find_session(number);
  if (session == nullptr) return;
  --session->cursors_in_flight;
  session->queue.cursor_failed();
  parts_.groups.cursor_failed(*session);
  failed_cursors_.emplace_back(lane.lane(), number);
}

void LaneQueues::retry() {
  for (const auto& [lane_id, number] : std::exchange(failed_cursors_, {})) {
    LaneState& lane = context_.led(lane_id);
    if (Session* const session = lane.find_session(number)) touch(lane, *session);
  }
}

void LaneQueues::send_releases(Session& session) {
  for (const std::uint64_t number : session.queue.take_released()) {
    if (session.connection == 0) continue;
    context_.to_front(session.connection,
                      hop::QueueRelease{session.connection, SessionQueue::packet_id_of(number)});
  }
}

}  // namespace naru::broker

#include "broker/session/lane_shard.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/mqtt/topics.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr std::size_t recent_messages = 1024;       // Shared by sessions that drain together.
constexpr std::uint64_t fetch_at_once = 256;        // Messages of one session read back together.
constexpr Duration sweep_every{50'000};             // How late an expiry may be noticed.
constexpr std::uint64_t stream_mark_every = 4'096;  // Records of a stream between two marks.
}  // namespace

LaneShard::LaneShard(const ShardSettings& settings, RouteTable& routes, Publisher& publisher,
                     ShardOutput& output, ShardCounters& counters)
    : settings_(settings),
      routes_(routes),
      publisher_(publisher),
      output_(output),
      counters_(counters),
      lanes_(cluster::lane_count),
      recent_(recent_messages),
      told_(settings.shards) {
  for (LaneId id = 0; id < cluster::lane_count; ++id) {
    if (settings_.shard_of_lane(id) != settings_.shard) continue;
    lanes_[id] = std::make_unique<LaneState>(id);
    lanes_[id]->log() = cluster::LaneLog{settings_.incarnation, 0};
  }
}

LaneState& LaneShard::led(LaneId id) {
  NARU_CHECK(id < lanes_.size() && lanes_[id]);
  return *lanes_[id];
}

LaneShard::JournalNeed LaneShard::journal_need() const {
  JournalNeed need{std::numeric_limits<std::uint64_t>::max(), journal_committed_};
  if (!pending_.empty()) need.needed = journal_committed_ + 1;
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    for (const auto& [id, client] : std::as_const(*lane).clients()) {
      if (!client.session) continue;
      const std::uint64_t oldest = client.session->queue.oldest_journal_number();
      if (oldest != 0) need.needed = std::min(need.needed, oldest);
    }
    for (const auto& [id, outbox] : lane->outboxes()) {
      need.needed = std::min(need.needed, outbox.journal_number);
    }
  }
  return need;
}

void LaneShard::take_effects(LaneState& lane) {
  for (const Effects::RouteChange& change : effects_.routes) {
    if (mqtt::is_shared(change.filter)) {
      const Route& route = change.route;
      const Session* const session = lane.find_session(route.owner);
      MemberState state = MemberState::left;
      if (change.add && session != nullptr) {
        state = session->connection != 0 ? MemberState::connected : MemberState::away;
      }
      tell_group(state, lane.lane(), route.owner,
                 {change.filter, route.options, route.subscription_id});
    } else if (change.add) {
      routes_.add(change.filter, change.route);
    } else {
      routes_.remove(change.filter, change.route);
    }
  }
  for (const SessionNumber number : effects_.ended) {
    output_.horizon.push_back({HorizonChange::Kind::session_ended, lane.lane(), number, 0, {}});
  }
  for (const GroupPlace& place : effects_.returned) answer(place, AnswerKind::returned);
  for (const GroupPlace& place : effects_.forfeited) answer(place, AnswerKind::done);
  counters_.dropped_group_ended += effects_.forfeited.size();
  for (const SessionNumber number : effects_.sendable) {
    if (Session* const session = lane.find_session(number)) touch(lane, *session);
  }
  effects_.clear();
}

// What follows a committed record beyond the state it changed.
void LaneShard::after(LaneState& lane, const Record& record, LiveSink& live) {
  if (const auto* body = std::get_if<CursorPut>(&record.body)) {
    output_.horizon.push_back({HorizonChange::Kind::session_passed,
                               lane.lane(),
                               body->session,
                               body->cursor.acked_through,
                               {}});
    if (Session* const session = lane.find_session(body->session)) {
      session->cursor_in_flight = false;
      if (session->group) {
        for (const auto& answer : std::exchange(session->group->confirming, {})) confirm(answer);
      }
      for (const std::uint64_t number : session->queue.take_released()) {
        if (session->connection == 0) continue;
        to_front(session->connection,
                 hop::QueueRelease{session->connection, SessionQueue::packet_id_of(number)});
      }
    }
  } else if (const auto* opened = std::get_if<SessionPut>(&record.body)) {
    client_committed(lane, opened->client_id);
  } else if (const auto* ended = std::get_if<SessionErased>(&record.body)) {
    client_committed(lane, ended->client_id);
  } else if (const auto* command = std::get_if<CommandPut>(&record.body)) {
    forget_latest(command->row);
    after_command(lane, command->row);
  } else if (const auto* fewer = std::get_if<FiltersErased>(&record.body)) {
    filters_settled(lane, fewer->session);
  } else if (const auto* filters = std::get_if<FiltersPut>(&record.body)) {
    filters_settled(lane, filters->session);
    if (Session* const session = lane.find_session(filters->session)) {
      for (const CommandRow* row : lane.ledger().of(session->client_id)) queue_command(lane, *row);
    }
  } else if (const auto* appended = std::get_if<StreamAppended>(&record.body)) {
    ++counters_.stream_records;
    StreamLane& stream = lane.stream(appended->stream);
    const std::uint64_t enough = stream.marked() + stream_mark_every;
    if (appended->offset >= enough && lane.markable(appended->stream) >= enough) {
      Unit unit{*this};
      unit.add(lane, stream.mark(appended->stream, lane.markable(appended->stream)));
      unit.submit(false);
    }
  }
  after_outbox(lane, record, live);
}

// ---- time --------------------------------------------------------------------------------------

Bytes LaneShard::due_key(DueKind kind, LaneId lane, BytesView name) {
  Bytes key{static_cast<char>(kind)};
  ByteWriter writer{key};
  writer.u16(lane);
  writer.bytes(name);
  return key;
}

void LaneShard::set_dues(LaneState& lane, BytesView client_id, const SessionRow& row) {
  const Bytes expiry = due_key(DueKind::expiry, lane.lane(), client_id);
  const Bytes will = due_key(DueKind::will, lane.lane(), client_id);
  const bool ends = !row.connected && row.expiry_s != 0xffffffff;
  dues_.set(expiry,
            ends ? row.changed_at + std::uint64_t{row.expiry_s} * 1000 : never_of<StoreMillis>());
  dues_.set(will, !row.connected && row.will ? row.will_due_at : never_of<StoreMillis>());
}

void LaneShard::on_time(Instant now, StoreMillis store_now, WallMillis wall) {
  store_now_ = store_now;
  wall_ = wall;
  if (now < next_sweep_) return;
  next_sweep_ = now + sweep_every;
  if (failing_) return;  // It would fail at once, and be due again at once.
  while (const auto key = dues_.take_one_due(store_now)) due(*key);
  expire_retained();
  retry_failed();
}

// ---- cursors and sending -----------------------------------------------------------------------

void LaneShard::touch(LaneState& lane, Session& session) {
  if (session.dirty) return;
  session.dirty = true;
  touched_.emplace_back(lane.lane(), session.number);
}

void LaneShard::end_turn(LiveSink& live) {
  for (const ReleasedLive& each : std::exchange(released_, {})) {
    const Route from{each.session, 0, each.lane, Route::Kind::session, 0};
    const Waiter waiter{Waiter::Kind::completion, each.connection, each.packet_id};
    const auto outcome = publisher_.publish(each.message->view(), each.message, from,
                                            Publisher::Attempt::only, waiter, live);
    if (!outcome.waits) live.on_published(waiter, false);
  }
  std::ranges::sort(retry_outbox_);  // As they were published.
  for (const auto& [id, outbox_id] : std::exchange(retry_outbox_, {})) {
    LaneState& lane = led(id);
    if (Outbox* const outbox = lane.find_outbox(outbox_id)) {
      publish_outbox(lane, outbox_id, *outbox, live);
    }
  }
  take_due();
  publish_taken(live);
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    LaneState& lane = led(touched_[i].first);
    Session* const session = lane.find_session(touched_[i].second);
    if (session == nullptr) continue;
    session->dirty = false;
    change_filters(lane, *session);
    if (session->group) dispatch(lane, *session);
    if (session->connection != 0) pump(lane, *session);
    if (!session->lent.empty() && session->connection != 0) settle_lent(*session);
    if (!session->lent.empty() && session->connection == 0) give_back_lent(lane, *session);
    commit_cursor(lane, *session);
  }
  touched_.clear();
}

// At most one cursor of a session is on its way; what happens meanwhile goes with the next.
void LaneShard::commit_cursor(LaneState& lane, Session& session) {
  if (session.cursor_in_flight || !session.queue.cursor_dirty()) return;
  session.cursor_in_flight = true;
  bool urgent = session.queue.cursor_urgent();
  if (session.group && !session.group->received.empty()) {
    session.group->confirming = std::exchange(session.group->received, {});
    urgent = true;
  }
  Unit unit{*this};
  unit.add(lane, CursorPut{session.number, session.queue.take_cursor()});
  unit.submit(urgent);
}

void LaneShard::pump(LaneState& lane, Session& session) {
  while (const std::uint64_t number = session.queue.next_to_send()) {
    const SessionQueue::State state = session.queue.at(number).state;
    if (state == SessionQueue::State::waiting) {
      if (!send_waiting(lane, session, number)) return;
      continue;
    }
    if (state == SessionQueue::State::released) {
      to_front(session.connection,
               hop::QueueRelease{session.connection, SessionQueue::packet_id_of(number)});
    }
    session.queue.on_sent(number);  // Its PUBREL follows the commit where it is still owed.
  }
}

// False: nothing can be sent before a message is back in memory.
bool LaneShard::send_waiting(LaneState& lane, Session& session, std::uint64_t number) {
  const SessionQueue::Entry& entry = session.queue.at(number);
  if (!entry.message) {
    fetch(lane, session, number);
    return session.queue.next_to_send() != number || session.queue.at(number).message != nullptr;
  }
  const auto command = session.commands.find(number);
  const bool is_command = command != session.commands.end();
  if (entry.message->expired(store_now_)) {
    ++counters_.dropped_expired;
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
    step(lane, session.client_id, command->second, CommandState::sent, false);
  }
  to_front(session.connection,
           hop::QueueDeliver{session.connection, session.epoch, SessionQueue::packet_id_of(number),
                             entry.options, session.queue.sent_before(number),
                             Carried{entry.message}, session.queue.subscription_ids(entry)});
  session.queue.on_sent(number);
  return true;
}

// Asks for what the window can take from `number` on, unless it was read a moment ago.
void LaneShard::fetch(LaneState& lane, Session& session, std::uint64_t number) {
  if (session.fetching) return;
  Fetch wanted{lane.lane(), session.number, 0, {}, {}};
  const std::uint64_t last = std::min(session.queue.last(), number + fetch_at_once);
  std::uint64_t bytes = 0;
  for (std::uint64_t each = number; each <= last && bytes < in_flight_bytes_max; ++each) {
    SessionQueue::Entry& entry = session.queue.at(each);
    bytes += entry.size;
    if (entry.state != SessionQueue::State::waiting || entry.message) continue;
    if (session.group && session.group->is_held(each)) continue;
    const auto& recent = recent_[entry.journal_number % recent_messages];
    if (recent.first == entry.journal_number && recent.second) {
      entry.message = recent.second;
      continue;
    }
    wanted.numbers.push_back(each);
    wanted.journal_numbers.push_back(entry.journal_number);
  }
  if (wanted.numbers.empty()) return;
  session.fetching = true;
  output_.fetches.push_back(std::move(wanted));
}

void LaneShard::on_fetched(const Fetched& fetched, LiveSink& live) {
  LaneState& lane = led(fetched.request.lane);
  if (fetched.request.session == 0) {
    Outbox* const outbox = lane.find_outbox(fetched.request.outbox);
    if (outbox == nullptr) return;
    outbox->message = fetched.messages.front();
    if (outbox->row.kind == OutboxKind::delayed) {
      return on_delayed_read(lane, fetched.request.outbox, *outbox);  // Goes out in its turn.
    }
    NARU_CHECK(outbox->message);  // An open outbox pins its entry.
    return publish_outbox(lane, fetched.request.outbox, *outbox, live);
  }
  Session* const session = lane.find_session(fetched.request.session);
  if (session == nullptr) return;
  session->fetching = false;
  for (std::size_t i = 0; i < fetched.messages.size(); ++i) {
    const std::uint64_t number = fetched.request.numbers[i];
    if (number <= session->queue.acked_through()) continue;
    SessionQueue::Entry& entry = session->queue.at(number);
    if (entry.state != SessionQueue::State::waiting) continue;
    if (!fetched.messages[i]) {
      ++counters_.dropped_lost;
      session->queue.drop(number);
      continue;
    }
    entry.message = fetched.messages[i];
    recent_[entry.journal_number % recent_messages] = {entry.journal_number, entry.message};
  }
  touch(lane, *session);
}

}  // namespace naru::broker

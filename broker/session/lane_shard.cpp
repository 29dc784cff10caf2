#include "broker/session/lane_shard.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/mqtt/topics.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr Duration sweep_every{50'000};  // How late an expiry may be noticed.
}  // namespace

LaneShard::LaneShard(const ShardSettings& settings, RouteTable& routes, Publisher& publisher,
                     ShardOutput& output, ShardCounters& counters)
    : context_(settings, output, counters), parts_(context_, publisher), routes_(routes) {
  context_.units.on_failed = [this](PendingUnit& pending) { fail(pending); };
}

LaneShard::JournalNeed LaneShard::journal_need() const {
  const std::uint64_t committed = context_.units.journal_committed();
  JournalNeed need{std::numeric_limits<std::uint64_t>::max(), committed};
  if (!context_.units.empty()) need.needed = committed + 1;
  context_.each_lane([&](LaneState& lane) {
    for (const auto& [id, client] : std::as_const(lane).clients()) {
      if (!client.session) continue;
      const std::uint64_t oldest = client.session->queue.oldest_journal_number();
      if (oldest != 0) need.needed = std::min(need.needed, oldest);
    }
    for (const auto& [id, outbox] : lane.outboxes()) {
      need.needed = std::min(need.needed, outbox.journal_number);
    }
  });
  return need;
}

void LaneShard::put_meta(BytesView key, BytesView value) {
  UnitDraft unit{context_.units};
  unit.rows().put(Family::meta, key, value);
  unit.submit(false);
}

// ---- outcomes of commits -----------------------------------------------------------------------

void LaneShard::on_committed(const std::vector<CommitOutcome>& outcomes, LiveSink& live) {
  LaneUnits& units = context_.units;
  for (const CommitOutcome& outcome : outcomes) {
    PendingUnit pending = units.take(outcome);
    if (outcome.failure) {
      units.begin_failing();
      fail(pending);
    } else {
      apply(pending, outcome, live);
    }
  }
  if (!units.failing() || !units.empty()) return;
  // Everything behind the first failure has failed too: what it had reserved is given back.
  context_.each_lane([](LaneState& lane) { lane.rewind(); });
  units.end_failing();
}

void LaneShard::apply(PendingUnit& pending, const CommitOutcome& outcome, LiveSink& live) {
  for (PendingRecord& each : pending.records) {
    LaneState& lane = context_.led(each.record.head.lane);
    lane.apply(each.record, outcome.journal_number, each.message, effects_);
    if (on_applied) on_applied(each.record);
    follow(lane, each.record, live);
    take_effects(lane);
  }
  context_.units.answer_committed(pending);
}

// What follows a committed record beyond the state it changed.
void LaneShard::follow(LaneState& lane, const Record& record, LiveSink& live) {
  if (const auto* cursor = std::get_if<CursorPut>(&record.body)) {
    parts_.queues.cursor_committed(lane, *cursor);
  } else if (const auto* opened = std::get_if<SessionPut>(&record.body)) {
    parts_.clients.committed(lane, opened->client_id);
  } else if (const auto* ended = std::get_if<SessionErased>(&record.body)) {
    parts_.clients.committed(lane, ended->client_id);
  } else if (const auto* command = std::get_if<CommandPut>(&record.body)) {
    parts_.commands.committed(lane, command->row);
  } else if (const auto* fewer = std::get_if<FiltersErased>(&record.body)) {
    parts_.filters.settled(lane, fewer->session);
  } else if (const auto* more = std::get_if<FiltersPut>(&record.body)) {
    parts_.filters.settled(lane, more->session);
    if (Session* const session = lane.find_session(more->session)) {
      parts_.commands.queue_all(lane, session->client_id);
    }
  } else if (const auto* appended = std::get_if<StreamAppended>(&record.body)) {
    parts_.streams.appended(lane, *appended);
  }
  parts_.outboxes.committed(lane, record, live);
}

void LaneShard::fail(PendingUnit& pending) {
  ++context_.counters.failed_commits;
  for (const PendingRecord& each : pending.records) fail(each);
  context_.units.answer_failed(pending);
  if (!pending.retained.empty()) parts_.retained.failed(std::move(pending.retained));
}

void LaneShard::fail(const PendingRecord& each) {
  LaneState& lane = context_.led(each.record.head.lane);
  const Body& body = each.record.body;
  if (const auto* cursor = std::get_if<CursorPut>(&body)) {
    parts_.queues.cursor_failed(lane, cursor->session);
  } else if (const auto* put = std::get_if<SessionPut>(&body)) {
    parts_.clients.failed(lane, put->client_id);
  } else if (const auto* erased = std::get_if<SessionErased>(&body)) {
    parts_.clients.failed(lane, erased->client_id);
  } else if (const auto* queued = std::get_if<Enqueued>(&body)) {
    for (const Reference& reference : queued->references) {
      if ((reference.options & lent_flag) == 0) continue;
      parts_.groups.answer(answer_of(place_of(each.message->view().origin), AnswerKind::failed));
    }
  } else if (const auto* command = std::get_if<CommandPut>(&body)) {
    parts_.commands.failed(lane, command->row);
  } else if (const auto* origin = std::get_if<OriginForgotten>(&body)) {
    parts_.origins.failed(*origin, lane.lane());
  } else if (const auto* more = std::get_if<FiltersPut>(&body)) {
    parts_.filters.settled(lane, more->session);
  } else if (const auto* fewer = std::get_if<FiltersErased>(&body)) {
    parts_.filters.settled(lane, fewer->session);
  }
  parts_.outboxes.failed(lane, each);
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
      parts_.groups.tell(state, lane.lane(), route.owner,
                         {change.filter, route.options, route.subscription_id});
    } else if (change.add) {
      routes_.add(change.filter, change.route);
    } else {
      routes_.remove(change.filter, change.route);
    }
  }
  for (const SessionNumber number : effects_.ended) {
    context_.output.horizon.push_back(
        {HorizonChange::Kind::session_ended, lane.lane(), number, 0, {}});
  }
  for (const hop::GroupAnswer& each : effects_.returned) parts_.groups.answer(each);
  for (const GroupPlace& place : effects_.forfeited) {
    parts_.groups.answer(answer_of(place, AnswerKind::done));
  }
  context_.counters.dropped_group_ended += effects_.forfeited.size();
  for (const hop::GroupAnswer& each : effects_.received) parts_.groups.confirm(each);
  for (const SessionNumber number : effects_.sendable) {
    if (Session* const session = lane.find_session(number)) parts_.queues.touch(lane, *session);
  }
  effects_.clear();
}

void LaneShard::on_fetched(const Fetched& fetched, LiveSink& live) {
  if (fetched.request.session == 0) return parts_.outboxes.on_fetched(fetched, live);
  parts_.queues.on_fetched(fetched);
}

// ---- time --------------------------------------------------------------------------------------

void LaneShard::on_time(Instant now, StoreMillis store_now, WallMillis wall) {
  context_.store_now = store_now;
  context_.wall = wall;
  if (now < next_sweep_) return;
  next_sweep_ = now + sweep_every;
  if (context_.units.failing()) return;  // It would fail at once, and be due again at once.
  while (const auto next = context_.dues.take(store_now)) due(*next);
  parts_.retained.expire();
  retry_failed();
}

void LaneShard::due(const Due& due) {
  LaneState& lane = context_.led(due.lane);
  switch (due.kind) {
    case DueKind::expiry:
    case DueKind::will: return parts_.clients.due(due.kind, lane, due.name);
    case DueKind::command: return parts_.commands.due(lane, due.name);
    case DueKind::outbox: return parts_.outboxes.due(due.lane, due.name);
  }
}

// Comes back to what the disk had no room for.
void LaneShard::retry_failed() {
  parts_.queues.retry();
  parts_.origins.retry();
  parts_.commands.retry();
  parts_.retained.retry();
  parts_.groups.retry();
  parts_.clients.retry();
}

void LaneShard::end_turn(LiveSink& live) {
  parts_.outboxes.end_turn(live);
  parts_.queues.end_turn();
}

void LaneShard::start(LiveSink& live) {
  context_.each_lane([&](LaneState& lane) {
    for (auto& [client_id, client] : lane.clients()) {
      parts_.clients.restart(lane, client_id, client);
      if (client.session) parts_.groups.restart(lane, *client.session);
    }
    parts_.outboxes.restart(lane, live);
    for (const Seen& seen : lane.seen()) parts_.origins.note(seen.origin, lane.lane());
    lane.ledger().each([&](const CommandRow& row) { parts_.commands.follow(lane, row); });
  });
}

}  // namespace naru::broker

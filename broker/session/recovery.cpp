#include "broker/session/recovery.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/mqtt/topics.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/retained.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {

class Loader {
 public:
  Loader(const KvStore& store, const RecoveryTarget& target) : store_(store), target_(target) {}

  Result<Recovered> run() {
    for (const auto step : {&Loader::load_sessions, &Loader::load_cursors, &Loader::load_outboxes,
                            &Loader::load_journal, &Loader::load_ledger, &Loader::load_streams,
                            &Loader::load_retained}) {
      const auto done = (this->*step)();
      if (!done) return done.error();
    }
    finish_queues();
    hold_lent();
    return result_;
  }

 private:
  template <class Visitor>
  Result<void> each(Family family, BytesView from, BytesView to, Visitor&& visit) {
    const auto rows = store_.scan(family, from, to);
    for (; rows->valid(); rows->next()) {
      if (!visit(rows->key(), rows->value())) ++result_.unreadable;
    }
    return rows->status();
  }

  Result<void> load_sessions() {
    struct Pending {
      LaneId lane;
      SessionNumber session;
      FilterRow row;
    };
    std::vector<Pending> filters;  // They stand before their sessions in key order.
    const auto read = each(Family::session, {}, {}, [&](BytesView key, BytesView value) {
      ByteReader in{key};
      const LaneId lane = in.u16();
      const std::uint8_t tag = in.u8();
      if (!in.ok() || lane >= cluster_lanes) return false;
      if (tag == 's') {
        SessionRow row;
        if (!decode_row(value, row)) return false;
        if (row.number != 0) {
          ++result_.sessions;
          target_.horizon.open_session(lane, row.number);
        }
        target_.lane(lane).load_client(Bytes{in.rest()}, std::move(row));
        return true;
      }
      Pending pending{lane, in.u64(), {Bytes{in.rest()}, 0, 0}};
      if (tag != 'f' || !in.ok() || !decode_filter(value, pending.row)) return false;
      filters.push_back(std::move(pending));
      return true;
    });
    if (!read) return read;
    for (Pending& each : filters) {
      Session* const session = target_.lane(each.lane).find_session(each.session);
      if (session == nullptr) continue;
      if (mqtt::is_shared(each.row.filter)) {
        add_member(each.lane, each.session, each.row);
        session->filters.push_back(std::move(each.row));
        continue;
      }
      target_.routes.add(each.row.filter, {each.session, each.row.subscription_id, each.lane,
                                           Route::Kind::session, each.row.options});
      session->filters.push_back(std::move(each.row));
    }
    return {};
  }

  // Nobody is connected at a start.
  void add_member(LaneId lane, SessionNumber session, const FilterRow& row) {
    const Client* const group =
        target_.lane(lane_of_group(row.filter)).find_client(group_client_id(row.filter));
    if (group == nullptr || !group->session) return;
    group->session->group->put({row.filter, Route::Kind::session, lane, session, MemberState::away,
                                row.options, row.subscription_id, 0, 0, 0});
  }

  // What a session has of a group's, no other member may get.
  void hold_lent() {
    for (const auto& [lane, number] : borrowers_) {
      Session* const session = target_.lane(lane).find_session(number);
      if (session == nullptr) continue;
      for (const auto& [queue_number, place] : session->lent) {
        if (queue_number <= session->queue.acked_through()) continue;
        const SessionQueue::Entry& entry = session->queue.at(queue_number);
        if (entry.state != SessionQueue::State::waiting || (entry.options & 3) != 2) continue;
        const Session* const group = target_.lane(place.lane).find_session(place.group);
        if (group != nullptr && group->group) group->group->hold(place.number);
      }
    }
  }

  Result<void> load_cursors() {
    return each(Family::cursor, {}, {}, [&](BytesView key, BytesView value) {
      ByteReader in{key};
      const LaneId lane = in.u16();
      const SessionNumber number = in.u64();
      CursorRow cursor;
      if (!in.done() || lane >= cluster_lanes || !decode_row(value, cursor)) return false;
      Session* const session = target_.lane(lane).find_session(number);
      if (session == nullptr) return true;
      session->queue.apply(cursor);
      target_.horizon.pass(lane, number, cursor.acked_through);
      cursors_.push_back({lane, number, std::move(cursor)});
      return true;
    });
  }

  Result<void> load_outboxes() {
    return each(Family::inbound, {}, {}, [&](BytesView key, BytesView value) {
      ByteReader in{key};
      const LaneId lane = in.u16();
      const std::uint64_t id = in.u64();
      if (!in.ok() || lane >= cluster_lanes) return false;
      LaneState& state = target_.lane(lane);
      if (in.rest() == "r") {  // Stands right behind its row.
        state.release_outbox(id);
        return true;
      }
      ByteReader row_in{value};
      const std::uint64_t number = row_in.u64();
      OutboxRow row;
      if (!row_in.ok() || !in.empty() || !decode_outbox(row_in.rest(), row)) return false;
      state.load_outbox(id, row, number);
      return true;
    });
  }

  Result<void> load_journal() {
    return each(Family::journal, {}, {}, [&](BytesView key, BytesView value) {
      const std::uint64_t number = journal_number(key);
      result_.next_journal_number = number + 1;
      ++result_.entries;
      JournalEntry entry;
      if (!decode_journal_entry(value, entry)) return false;
      const MessageRef message = Message::decode(Bytes{entry.message});
      if (!message) return false;
      for (const JournalPart& part : entry.parts) {
        if (part.head.lane >= cluster_lanes) return false;
        load_part(part, number, message);
      }
      return true;
    });
  }

  void load_part(const JournalPart& part, std::uint64_t number, const MessageRef& message) {
    LaneState& lane = target_.lane(part.head.lane);
    const MessageView& view = message->view();
    if (part.kind == PartKind::outbox) {
      const std::uint64_t id = cluster::LanePosition{part.head.term, part.head.index}.packed();
      Outbox* const outbox = lane.find_outbox(id);
      if (outbox == nullptr) return;
      outbox->origin = view.origin;
      // Few are open; read later they would overtake one another. Of what waits there may be many.
      if (outbox->row.kind != OutboxKind::delayed) outbox->message = message;
      target_.horizon.open_outbox(part.head.lane, id, view.origin);
      open_origins_.insert(view.origin);
      return;
    }
    if (part.kind == PartKind::enqueued_once && open_origins_.contains(view.origin)) {
      lane.load_seen({view.origin, {}});
    }
    for (const Reference& reference : part.references) {
      Session* const session = lane.find_session(reference.session);
      if (session == nullptr || reference.number <= session->queue.last()) continue;
      SessionQueue::Entry queued;
      queued.journal_number = number;
      queued.size = static_cast<std::uint32_t>(view.payload.size() + view.topic.size());
      queued.options = reference.options;
      result_.gaps += skip_to(part.head.lane, *session, reference.number);
      session->queue.enqueue(reference.number, std::move(queued), reference.subscription_ids);
      if ((reference.options & lent_flag) != 0) {
        session->lent[reference.number] = place_of(view.origin);
        borrowers_.emplace(part.head.lane, reference.session);
      }
      ++result_.queued;
    }
  }

  // Says how many are missing. Numbers that the cursor calls done are not: an import leaves some
  // out.
  std::uint64_t skip_to(LaneId lane, Session& session, std::uint64_t number) {
    const std::uint64_t first = session.queue.last() + 1;
    const std::uint64_t skipped = session.queue.skip_to(number);
    if (skipped == 0) return 0;
    const auto found = std::ranges::lower_bound(cursors_, std::pair{lane, session.number}, {},
                                                &LoadedCursor::place);
    if (found == cursors_.end() || found->place() != std::pair{lane, session.number}) {
      return skipped;
    }
    const std::vector<std::uint64_t>& done = found->cursor.done;
    const auto end = std::ranges::lower_bound(done, number);
    const auto known = static_cast<std::uint64_t>(end - std::ranges::lower_bound(done, first));
    return skipped - std::min(skipped, known);
  }

  Result<void> load_ledger() {
    return each(Family::ledger, {}, {}, [&](BytesView key, BytesView value) {
      ByteReader in{key};
      const LaneId lane = in.u16();
      CommandRow row;
      if (!in.ok() || lane >= cluster_lanes || !decode_row(value, row)) return false;
      target_.lane(lane).ledger().put(row);
      return true;
    });
  }

  // One seek for each stream of each lane; only what lies behind its mark is read.
  Result<void> load_streams() {
    Bytes from;
    while (true) {
      const auto rows = store_.scan(Family::stream, from, {});
      if (!rows->valid()) return rows->status();
      ByteReader in{rows->key()};
      const LaneId lane = in.u16();
      const Bytes name{in.bytes(in.u8())};
      if (!in.ok() || lane >= cluster_lanes) {
        ++result_.unreadable;
        from = Bytes{rows->key()} + '\0';
        continue;
      }
      const auto read = load_stream(lane, name);
      if (!read) return read;
      from = end_of_prefix(stream_prefix(lane, name));
      if (from.empty()) return {};
    }
  }

  Result<void> load_stream(LaneId lane_id, const Bytes& name) {
    LaneState& lane = target_.lane(lane_id);
    const Bytes prefix = stream_prefix(lane_id, name);
    const Bytes consumers = prefix + 'c';
    auto read = each(Family::stream, consumers, prefix + 'd', [&](BytesView key, BytesView value) {
      lane.load_consumer(name, key.substr(consumers.size()), value);
      return true;
    });
    if (!read) return read;
    StreamLane& stream = lane.stream(name);
    StreamMarked mark;
    const auto marked = store_.get(Family::stream, stream_mark_key(lane_id, name));
    if (!marked) return marked.error();
    const bool has_mark = *marked && decode_row(**marked, mark);
    bool first = true;
    const auto load = [&](BytesView key, BytesView value) {
      StreamAppended record;
      record.stream = name;
      record.offset = ByteReader{key.substr(key.size() - 8)}.u64();
      if (!decode_row(value, record.row) || !record.row.message) return false;
      const MessageRef message = Message::decode(*record.row.message);
      if (!message) return false;
      const MessageView& view = message->view();
      if (open_origins_.contains(view.origin)) lane.load_seen({view.origin, name, record.offset});
      if (std::exchange(first, false)) stream.load_first(record.offset, view.stamp.received_at);
      stream.apply(record, view.stamp.received_at);
      return true;
    };
    const Bytes begin = stream_key(lane_id, name, 0);
    const Bytes end = prefix + 's';
    if (!has_mark) return each(Family::stream, begin, end, load);
    // The oldest one dates the beginning; then the mark stands for all up to it.
    const auto oldest = store_.scan(Family::stream, begin, end);
    if (oldest->valid()) {
      StreamRow row;
      if (decode_row(oldest->value(), row) && row.message) {
        const MessageRef message = Message::decode(*row.message);
        const std::uint64_t offset =
            ByteReader{oldest->key().substr(oldest->key().size() - 8)}.u64();
        if (message) stream.load_first(offset, message->view().stamp.received_at);
        first = false;
      }
    } else {
      // A mark that was made before a trim and written behind it knows of less than is gone.
      mark.first_offset = mark.offset + 1;
    }
    stream.apply(mark);
    return each(Family::stream, stream_key(lane_id, name, mark.offset + 1), end, load);
  }

  Result<void> load_retained() {
    return each(Family::retained, {}, {}, [&](BytesView key, BytesView value) {
      RetainedRow row = read_retained(value);
      if (!row.message) return false;
      ++result_.retained;
      target_.retained(key, row.version, std::move(row.message));
      return true;
    });
  }

  // What a cursor says of single numbers can be applied now that they are there.
  void finish_queues() {
    for (const LoadedCursor& each : cursors_) {
      Session* const session = target_.lane(each.lane).find_session(each.session);
      if (session != nullptr) session->queue.apply(each.cursor);
    }
  }

  static constexpr LaneId cluster_lanes = cluster::lane_count;

  struct LoadedCursor {
    LaneId lane;
    SessionNumber session;
    CursorRow cursor;
    std::pair<LaneId, SessionNumber> place() const { return {lane, session}; }
  };
  const KvStore& store_;
  const RecoveryTarget& target_;
  Recovered result_;
  std::vector<LoadedCursor> cursors_;  // In the order of their keys, so of their places.
  std::set<std::pair<LaneId, SessionNumber>> borrowers_;
  std::set<Origin, OriginLess> open_origins_;
};

}  // namespace

Result<Recovered> recover(const KvStore& store, const RecoveryTarget& target) {
  return Loader{store, target}.run();
}

}  // namespace naru::broker

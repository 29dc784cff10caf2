#include "broker/session/lane_state.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "storage/base/check.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

bool OriginLess::operator()(const Origin& a, const Origin& b) const {
  return std::tie(a.node, a.incarnation, a.shard, a.number) <
         std::tie(b.node, b.incarnation, b.shard, b.number);
}

Origin origin_of(const OriginForgotten& record) {
  return {record.node, record.incarnation, record.shard, record.number};
}

bool Seen::operator<(const Seen& other) const {
  if (!(origin == other.origin)) return OriginLess{}(origin, other.origin);
  return stream < other.stream;
}

namespace {

Bytes consumer_name(BytesView stream, BytesView consumer) {
  Bytes name{stream};
  name.push_back('\0');
  return name.append(consumer);
}

Route route_of(LaneId lane, SessionNumber session, const FilterRow& row) {
  return {session, row.subscription_id, lane, Route::Kind::session, row.options};
}

}  // namespace

// One overload a record body: what it changes, and what that asks for.
struct LaneState::Applier {
  LaneState& lane;
  const RecordHead& head;
  std::uint64_t journal_number;
  const MessageRef& message;
  Effects& effects;

  std::uint64_t id() const { return cluster::LanePosition{head.term, head.index}.packed(); }

  void operator()(const SessionPut& body) const {
    Client& client = lane.clients_[body.client_id];
    if (body.replaced != 0) lane.end_session(client, effects);
    client.row = body.row;
    if (body.row.number == 0 || client.session) return;
    client.session = std::make_unique<Session>();
    client.session->number = body.row.number;
    client.session->client_id = body.client_id;
    if (is_group(body.client_id)) client.session->group = std::make_unique<Group>();
    lane.sessions_[body.row.number] = client.session.get();
  }
  void operator()(const SessionErased& body) const {
    const auto found = lane.clients_.find(body.client_id);
    if (found == lane.clients_.end()) return;
    lane.end_session(found->second, effects);
    lane.clients_.erase(found);
  }
  void operator()(const FiltersPut& body) const {
    Session* const session = lane.find_session(body.session);
    if (session == nullptr) return;
    for (const FilterRow& row : body.filters) {
      const auto same = std::ranges::find(session->filters, row.filter, &FilterRow::filter);
      if (same == session->filters.end()) {
        session->filters.push_back(row);
      } else {
        *same = row;
      }
      effects.routes.push_back({true, row.filter, route_of(lane.lane_, body.session, row)});
    }
  }
  void operator()(const FiltersErased& body) const {
    Session* const session = lane.find_session(body.session);
    if (session == nullptr) return;
    for (const Bytes& filter : body.filters) {
      if (std::erase_if(session->filters,
                        [&](const FilterRow& row) { return row.filter == filter; }) != 0) {
        effects.routes.push_back({false, filter, route_of(lane.lane_, body.session, {})});
      }
    }
  }
  void operator()(const Enqueued& body) const {
    const MessageView& view = message->view();
    if (body.once) lane.seen_.insert(Seen{view.origin, {}});
    for (const Reference& reference : body.references) {
      Session* const session = lane.find_session(reference.session);
      if (session == nullptr) continue;
      SessionQueue::Entry entry;
      entry.journal_number = journal_number;
      entry.size = static_cast<std::uint32_t>(view.payload.size() + view.topic.size());
      entry.options = reference.options;
      const bool taken = session->group ? session->group->has_taker() : session->connection != 0;
      if (taken) entry.message = message;
      if ((reference.options & lent_flag) != 0) {
        session->lent[reference.number] = place_of(view.origin);
      }
      session->queue.enqueue(reference.number, std::move(entry), reference.subscription_ids);
      effects.sendable.push_back(reference.session);
    }
  }
  void operator()(const CursorPut& body) const {
    Session* const session = lane.find_session(body.session);
    if (session == nullptr) return;
    session->queue.apply(body.cursor);
    effects.sendable.push_back(body.session);
  }
  void owe(const OutboxRow& row) const {
    lane.load_outbox(id(), row, journal_number);
    Outbox& outbox = lane.outboxes_[id()];
    outbox.message = message;
    outbox.origin = message->view().origin;
  }
  void operator()(const OutboxPut& body) const { owe(body.row); }
  void operator()(const DelayedPut& body) const { owe(body.row); }
  void operator()(const OutboxReleased& body) const { lane.release_outbox(body.id); }
  void operator()(const OutboxErased& body) const {
    const auto found = lane.outboxes_.find(body.id);
    if (found == lane.outboxes_.end()) return;
    lane.free_packet_id(body.id, found->second.row);
    lane.outboxes_.erase(found);
  }
  void operator()(const OriginForgotten& body) const {
    const Origin origin = origin_of(body);
    auto at = lane.seen_.lower_bound(Seen{origin, {}});
    while (at != lane.seen_.end() && at->origin == origin) at = lane.seen_.erase(at);
  }
  void operator()(const CommandPut& body) const { lane.ledger_.put(body.row); }
  void operator()(const CommandErased& body) const { lane.ledger_.erase(body.device, body.id); }
  void operator()(const StreamAppended& body) const {
    lane.stream(body.stream).apply(body, message ? message->view().stamp.received_at : 0);
    if (body.once && message)
      lane.seen_.insert(Seen{message->view().origin, body.stream, body.offset});
  }
  void operator()(const StreamTrimmed& body) const { lane.stream(body.stream).apply(body); }
  void operator()(const StreamMarked& body) const { lane.stream(body.stream).apply(body); }
  void operator()(const ConsumerPut& body) const {
    lane.consumers_[consumer_name(body.stream, body.consumer)] = body.cursor;
  }
};

void LaneState::apply(const Record& record, std::uint64_t journal_number, const MessageRef& message,
                      Effects& effects) {
  if (!log_.advance({record.head.term, record.head.index})) return;
  std::visit(Applier{*this, record.head, journal_number, message, effects}, record.body);
}

void LaneState::end_session(Client& client, Effects& effects) {
  if (!client.session) return;
  const SessionNumber number = client.session->number;
  for (const FilterRow& row : client.session->filters) {
    effects.routes.push_back({false, row.filter, route_of(lane_, number, {})});
  }
  const SessionQueue& queue = client.session->queue;
  for (const auto& [place, whose] : client.session->lent) {
    const bool known = queue.sent_before(place) && place > queue.acked_through() &&
                       (queue.at(place).options & 3) == 2;
    if (known) {
      effects.forfeited.push_back(whose);
    } else {
      effects.returned.push_back(answer_of(whose, AnswerKind::returned));
    }
  }
  client.session->returns.append_to(effects.returned);
  if (client.session->group) client.session->group->receipts.append_to(effects.received);
  effects.ended.push_back(number);
  sessions_.erase(number);
  client.session.reset();
}

Client* LaneState::find_client(BytesView client_id) {
  const auto found = clients_.find(client_id);
  return found == clients_.end() ? nullptr : &found->second;
}

Session* LaneState::find_session(SessionNumber number) {
  if (number == 0) return nullptr;
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : found->second;
}

Outbox* LaneState::find_outbox(std::uint64_t id) {
  return const_cast<Outbox*>(std::as_const(*this).find_outbox(id));
}

const Outbox* LaneState::find_outbox(std::uint64_t id) const {
  const auto found = outboxes_.find(id);
  return found == outboxes_.end() ? nullptr : &found->second;
}

StreamLane& LaneState::stream(BytesView name) {
  const auto found = streams_.find(name);
  return found != streams_.end() ? found->second : streams_[Bytes{name}];
}

// A start reads what lies behind the mark; a step that may come again has to be there.
std::uint64_t LaneState::markable(BytesView stream) const {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return 0;
  std::uint64_t most = found->second.end() - 1;
  for (const Seen& step : seen_) {
    if (step.stream == stream) most = std::min(most, step.offset - 1);
  }
  return most;
}

const Bytes* LaneState::consumer(BytesView stream, BytesView consumer) const {
  const auto found = consumers_.find(consumer_name(stream, consumer));
  return found == consumers_.end() ? nullptr : &found->second;
}

void LaneState::rewind() {
  log_.rewind();
  for (auto& [number, session] : sessions_) session->queue.rewind();
  for (auto& [name, stream] : streams_) stream.rewind();
}

void LaneState::load_client(Bytes client_id, SessionRow row) {
  Effects ignored;
  SessionPut body{std::move(client_id), std::move(row), 0};
  Applier{*this, RecordHead{lane_, 0, 0}, 0, nullptr, ignored}(body);
}

void LaneState::load_outbox(std::uint64_t id, const OutboxRow& row, std::uint64_t journal_number) {
  Outbox& outbox = outboxes_[id];
  outbox.row = row;
  outbox.journal_number = journal_number;
  if (!row.holds_packet_id()) return;
  Session* const session = find_session(row.session);
  if (session != nullptr) session->inbound[row.packet_id] = id;
}

// Of one that waits for its time nobody asks any more: its PUBCOMP does not wait, too.
void LaneState::release_outbox(std::uint64_t id) {
  Outbox* const outbox = find_outbox(id);
  if (outbox == nullptr) return;
  outbox->row.released = true;
  if (!outbox->row.holds_packet_id()) free_packet_id(id, outbox->row);
}

void LaneState::free_packet_id(std::uint64_t id, const OutboxRow& row) {
  Session* const session = find_session(row.session);
  if (session == nullptr) return;
  const auto inbound = session->inbound.find(row.packet_id);
  if (inbound != session->inbound.end() && inbound->second == id) session->inbound.erase(inbound);
}

void LaneState::load_consumer(BytesView stream, BytesView consumer, BytesView cursor) {
  consumers_[consumer_name(stream, consumer)] = Bytes{cursor};
}

Bytes LaneState::digest() const {
  Bytes out;
  Encoder encode{out};
  std::map<BytesView, const Client*> clients;
  for (const auto& [id, client] : clients_) clients[id] = &client;
  for (const auto& [id, client] : clients) {
    encode(Bytes{id}, client->row);
    if (!client->session) continue;
    std::vector<FilterRow> filters = client->session->filters;
    std::ranges::sort(filters, {}, &FilterRow::filter);
    encode(filters);
    client->session->queue.encode_durable(out);
  }
  std::map<std::uint64_t, const Outbox*> outboxes;
  for (const auto& [id, outbox] : outboxes_) outboxes[id] = &outbox;
  for (const auto& [id, outbox] : outboxes) encode(id, outbox->row, outbox->row.due_at);
  for (const Seen& step : seen_) {
    const Origin& origin = step.origin;
    encode(origin.node, origin.incarnation, origin.shard, origin.number, step.stream);
  }
  ledger_.each([&](const CommandRow& row) { encode(row); });
  std::map<BytesView, const StreamLane*> streams;
  for (const auto& [name, stream] : streams_) streams[name] = &stream;
  for (const auto& [name, stream] : streams) {
    StreamMarked mark = stream->mark(name);
    if (mark.offset != 0) encode(mark);
  }
  std::map<BytesView, BytesView> consumers;
  for (const auto& [name, cursor] : consumers_) consumers[name] = cursor;
  for (const auto& [name, cursor] : consumers) encode(Bytes{name}, Bytes{cursor});
  return out;
}

}  // namespace naru::broker

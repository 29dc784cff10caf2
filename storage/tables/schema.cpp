#include "storage/tables/schema.hpp"

#include "storage/base/byte_writer.hpp"
#include "storage/tables/journal.hpp"

namespace naru::storage {

namespace {

Bytes keyed(std::uint16_t lane, char tag, std::uint64_t number) {
  Bytes key;
  ByteWriter writer{key};
  writer.u16(lane);
  if (tag != 0) writer.u8(static_cast<std::uint8_t>(tag));
  writer.u64(number);
  return key;
}

// One overload a body: the rows it writes. Whatever needs no row is named here too, so that a
// new body without a decision does not compile.
struct RowWriter {
  const RecordHead& head;
  CommitUnit& unit;

  void erase_session(std::uint16_t lane, SessionNumber number) const {
    const Bytes prefix = filter_prefix(lane, number);
    unit.rows.erase_range(Family::session, prefix, end_of_prefix(prefix));
    unit.rows.erase(Family::cursor, cursor_key(lane, number));
  }
  void keep_message(const SharedBytes& message, PartKind kind,
                    const std::vector<Reference>& references) const {
    unit.message = message;
    encode_fields(JournalPart{head, kind, references}, unit.parts);
  }

  void operator()(const SessionPut& body) const {
    if (body.replaced != 0) erase_session(head.lane, body.replaced);
    unit.rows.put(Family::session, session_key(head.lane, body.client_id), encode_row(body.row));
  }
  void operator()(const SessionErased& body) const {
    if (body.number != 0) erase_session(head.lane, body.number);
    unit.rows.erase(Family::session, session_key(head.lane, body.client_id));
  }
  void operator()(const FiltersPut& body) const {
    for (const FilterRow& row : body.filters) {
      unit.rows.put(Family::session, filter_key(head.lane, body.session, row.filter),
                    encode_filter(row));
    }
  }
  void operator()(const FiltersErased& body) const {
    for (const Bytes& filter : body.filters) {
      unit.rows.erase(Family::session, filter_key(head.lane, body.session, filter));
    }
  }
  void operator()(const Enqueued& body) const {
    keep_message(body.message, body.once ? PartKind::enqueued_once : PartKind::enqueued,
                 body.references);
  }
  void operator()(const CursorPut& body) const {
    unit.rows.put(Family::cursor, cursor_key(head.lane, body.session), encode_row(body.cursor));
  }
  void owe(const OutboxRow& row, const SharedBytes& message) const {
    keep_message(message, PartKind::outbox, {});
    Bytes value(8, '\0');  // The committer puts the journal number here.
    value += encode_outbox(row);
    const std::uint64_t id = std::uint64_t{head.term} << 40 | head.index;
    unit.rows.put_numbered(Family::inbound, outbox_key(head.lane, id), value);
  }
  void operator()(const OutboxPut& body) const { owe(body.row, body.message); }
  void operator()(const DelayedPut& body) const { owe(body.row, body.message); }
  void operator()(const OutboxReleased& body) const {
    // A row of its own beside the first, so that releasing needs no copy of what it releases.
    unit.rows.put(Family::inbound, outbox_key(head.lane, body.id) + 'r', {});
  }
  void operator()(const OutboxErased& body) const {
    unit.rows.erase(Family::inbound, outbox_key(head.lane, body.id));
    unit.rows.erase(Family::inbound, outbox_key(head.lane, body.id) + 'r');
  }
  void operator()(const OriginForgotten&) const {}  // Known anew from the journal and outboxes.
  void operator()(const CommandPut& body) const {
    unit.rows.put(Family::ledger, ledger_key(head.lane, body.row.device, body.row.id),
                  encode_row(body.row));
  }
  void operator()(const CommandErased& body) const {
    unit.rows.erase(Family::ledger, ledger_key(head.lane, body.device, body.id));
  }
  void operator()(const StreamAppended& body) const {
    unit.rows.put(Family::stream, stream_key(head.lane, body.stream, body.offset),
                  encode_row(body.row));
  }
  void operator()(const StreamTrimmed& body) const {
    unit.rows.erase_range(Family::stream, stream_key(head.lane, body.stream, 0),
                          stream_key(head.lane, body.stream, body.first_offset));
  }
  void operator()(const StreamMarked& body) const {
    unit.rows.put(Family::stream, stream_mark_key(head.lane, body.stream), encode_row(body));
  }
  void operator()(const ConsumerPut& body) const {
    unit.rows.put(Family::stream, consumer_key(head.lane, body.stream, body.consumer), body.cursor);
  }
};

}  // namespace

Bytes lane_prefix(std::uint16_t lane) {
  Bytes key;
  ByteWriter{key}.u16(lane);
  return key;
}

Bytes session_key(std::uint16_t lane, BytesView client_id) {
  Bytes key = lane_prefix(lane);
  key.push_back('s');
  key.append(client_id);
  return key;
}

Bytes filter_prefix(std::uint16_t lane, SessionNumber session) { return keyed(lane, 'f', session); }

Bytes encode_filter(const FilterRow& row) {
  Bytes value{char{1}};
  Encoder encoder{value};
  encoder(row.options, row.subscription_id);
  return value;
}

bool decode_filter(BytesView value, FilterRow& row) {
  if (value.empty() || value[0] != 1) return false;
  Decoder decoder{value.substr(1)};
  decoder(row.options, row.subscription_id);
  return decoder.done();
}

Bytes encode_outbox(const OutboxRow& row) {
  if (row.kind != OutboxKind::delayed) return encode_row(row);
  Bytes value{char{2}};
  Encoder encoder{value};
  encoder(row, row.due_at);
  return value;
}

bool decode_outbox(BytesView value, OutboxRow& row) {
  if (value.empty()) return false;
  if (value[0] != 2) return decode_row(value, row) && row.kind != OutboxKind::delayed;
  Decoder decoder{value.substr(1)};
  decoder(row, row.due_at);
  return decoder.done() && row.kind == OutboxKind::delayed;
}

Bytes filter_key(std::uint16_t lane, SessionNumber session, BytesView filter) {
  return filter_prefix(lane, session).append(filter);
}

Bytes cursor_key(std::uint16_t lane, SessionNumber session) { return keyed(lane, 0, session); }

Bytes outbox_key(std::uint16_t lane, std::uint64_t id) { return keyed(lane, 0, id); }

Bytes ledger_key(std::uint16_t lane, BytesView device, BytesView id) {
  Bytes key = lane_prefix(lane);
  key.append(device).push_back('\0');  // MQTT strings hold no zero.
  return key.append(id);
}

Bytes stream_prefix(std::uint16_t lane, BytesView stream) {
  Bytes key = lane_prefix(lane);
  key.push_back(static_cast<char>(stream.size()));
  return key.append(stream);
}

Bytes stream_key(std::uint16_t lane, BytesView stream, std::uint64_t offset) {
  Bytes key = stream_prefix(lane, stream);
  key.push_back('r');
  ByteWriter{key}.u64(offset);
  return key;
}

Bytes stream_mark_key(std::uint16_t lane, BytesView stream) {
  return stream_prefix(lane, stream) + 'm';
}

Bytes consumer_key(std::uint16_t lane, BytesView stream, BytesView consumer) {
  return (stream_prefix(lane, stream) + 'c').append(consumer);
}

Bytes end_of_prefix(BytesView prefix) {
  Bytes end{prefix};
  while (!end.empty()) {
    if (static_cast<unsigned char>(end.back()) != 0xff) {
      ++end.back();
      return end;
    }
    end.pop_back();
  }
  return end;
}

void write_record(const Record& record, CommitUnit& unit) {
  std::visit(RowWriter{record.head, unit}, record.body);
}

}  // namespace naru::storage

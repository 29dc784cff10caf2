// storage/tables/schema.hpp
//
// Where a record's durable form lies: the keys of every family and the rows a record writes. A
// row is a function of its record alone, so that the store and the state in memory cannot differ
// about what happened.
//
//   family    key                                        value
//   journal   number                                     storage/tables/journal.hpp
//   session   lane 's' client id                         SessionRow
//             lane 'f' session filter                    options, subscription id
//   cursor    lane session                               CursorRow
//   inbound   lane id                                    journal number, OutboxRow
//             lane id 'r'                                empty: it is released
//   retained  topic                                      storage/tables/retained.hpp
//   ledger    lane device 0 id                           CommandRow
//   stream    lane name 'r' offset                       StreamRow
//             lane name 'm'                              StreamMarked
//             lane name 'c' consumer                     cursor token
//   meta      name                                       storage/tables/meta.hpp
//
// Integers in keys are big endian and of fixed width; a stream's name has its length before it.
// Sans-IO; pure. Frozen by golden bytes.
#pragma once

#include "storage/kv/commit_unit.hpp"
#include "storage/tables/records.hpp"

namespace naru::storage {

Bytes lane_prefix(std::uint16_t lane);
Bytes session_key(std::uint16_t lane, BytesView client_id);
Bytes filter_prefix(std::uint16_t lane, SessionNumber session);
Bytes filter_key(std::uint16_t lane, SessionNumber session, BytesView filter);
Bytes cursor_key(std::uint16_t lane, SessionNumber session);
Bytes outbox_key(std::uint16_t lane, std::uint64_t id);
Bytes ledger_key(std::uint16_t lane, BytesView device, BytesView id);
Bytes stream_prefix(std::uint16_t lane, BytesView stream);
Bytes stream_key(std::uint16_t lane, BytesView stream, std::uint64_t offset);
Bytes stream_mark_key(std::uint16_t lane, BytesView stream);
Bytes consumer_key(std::uint16_t lane, BytesView stream, BytesView consumer);
// The first key behind every key that begins with these bytes; empty when there is none.
Bytes end_of_prefix(BytesView prefix);

// Adds the durable form of a record to a unit: rows, and a part of a journal entry where it
// carries a queued message. REQUIRES: records with a message come one to a unit, or share it.
void write_record(const Record& record, CommitUnit& unit);

// A value of our own tables: version, then the structure's fields.
template <class Row>
Bytes encode_row(const Row& row) {
  Bytes out{char{1}};
  encode_fields(row, out);
  return out;
}
template <class Row>
bool decode_row(BytesView value, Row& row) {
  return !value.empty() && value[0] == 1 && decode_fields(value.substr(1), row);
}
// Of a filter: all but the filter itself, which is in its key.
Bytes encode_filter(const FilterRow& row);
bool decode_filter(BytesView value, FilterRow& row);
// Of an outbox, behind its journal number. One that is delayed is of version 2, which ends with
// due_at.
Bytes encode_outbox(const OutboxRow& row);
bool decode_outbox(BytesView value, OutboxRow& row);

}  // namespace naru::storage

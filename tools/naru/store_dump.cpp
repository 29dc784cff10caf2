// tools/naru/store_dump.cpp
#include "tools/naru/store_dump.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "broker/command/ledger.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/stream/rule.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/byte_reader.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/meta.hpp"
#include "storage/tables/retained.hpp"
#include "storage/tables/schema.hpp"
#include "tools/naru/message_text.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

using storage::Family;
using storage::SessionNumber;

struct Owners {
  std::map<SessionNumber, Bytes> by_session;

  // The client of a session, or null.
  Json name(SessionNumber session) const {
    const auto found = by_session.find(session);
    return found == by_session.end() ? Json{} : Json(found->second);
  }
};

struct RowView {
  BytesView key, value;
  const Owners& owners;
};

// What a row is about, for the choice.
struct About {
  std::optional<std::uint16_t> lane;
  std::vector<Bytes> clients;

  void add(const Json& client) {
    if (client.is_string()) clients.push_back(client.get<std::string>());
  }
};

Json text_or_base64(BytesView bytes) {
  if (mqtt::valid_utf8(bytes)) return bytes;
  return Json{{"base64", base64(bytes)}};
}

Json time_text(WallMillis at) { return at == 0 ? Json{} : Json(format_time(at)); }

Json message_json(BytesView encoded, About& about) {
  const auto message = storage::Message::decode(Bytes{encoded});
  if (!message) return nullptr;
  const storage::MessageView& view = message->view();
  about.add(Json(view.sender));
  return {{"sender", view.sender},
          {"topic", view.topic},
          {"qos", view.qos},
          {"retain", view.retain},
          {"epoch", view.stamp.epoch},
          {"publish", view.stamp.publish},
          {"received_at", time_text(view.stamp.received_at)},
          {"expires_at_store", view.expires_at == 0 ? Json{} : Json(view.expires_at)},
          {"origin",
           {{"node", view.origin.node},
            {"incarnation", view.origin.incarnation},
            {"shard", view.origin.shard},
            {"number", view.origin.number}}},
          {"payload", text_or_base64(view.payload)}};
}

// ---- one reader a family: fills the row, or says that it cannot be read
// --------------------------

bool read_journal(const RowView& row, Json& out, About& about) {
  storage::JournalEntry entry;
  if (row.key.size() != 8 || !storage::decode_journal_entry(row.value, entry)) return false;
  out["kind"] = "entry";
  out["number"] = storage::journal_number(row.key);
  out["message"] = message_json(entry.message, about);
  Json parts = Json::array();
  for (const storage::JournalPart& part : entry.parts) {
    constexpr std::array kinds = {"enqueued", "enqueued_once", "outbox"};
    const auto kind = static_cast<std::size_t>(part.kind);
    Json places = Json::array();
    for (const storage::Reference& each : part.references) {
      about.add(row.owners.name(each.session));
      places.push_back({{"client_id", row.owners.name(each.session)},
                        {"session", each.session},
                        {"queue_number", each.number},
                        {"qos", each.options & 3}});
    }
    about.lane = part.head.lane;
    parts.push_back({{"lane", part.head.lane},
                     {"term", part.head.term},
                     {"index", part.head.index},
                     {"kind", kind < kinds.size() ? Json(kinds[kind]) : Json(kind)},
                     {"places", std::move(places)}});
  }
  out["parts"] = std::move(parts);
  return !out["message"].is_null();
}

bool read_session(const RowView& row, Json& out, About& about) {
  ByteReader key{row.key};
  out["lane"] = key.u16();
  const char tag = static_cast<char>(key.u8());
  if (tag == 'f') {
    const SessionNumber session = key.u64();
    storage::FilterRow filter;
    out["kind"] = "filter";
    out["client_id"] = row.owners.name(session);
    about.add(out["client_id"]);
    out["session"] = session;
    out["filter"] = key.rest();
    if (!storage::decode_filter(row.value, filter)) return false;
    out["qos"] = filter.options & 3;
    return true;
  }
  storage::SessionRow session;
  if (!key.ok() || tag != 's' || !storage::decode_row(row.value, session)) return false;
  out["kind"] = "session";
  out["client_id"] = key.rest();
  about.add(out["client_id"]);
  out["session"] = session.number;
  out["user"] = session.identity;
  out["protocol"] = session.protocol;
  out["expiry_s"] = session.expiry_s;
  out["epoch"] = session.epoch;
  out["connected"] = session.connected;
  out["changed_at"] = time_text(session.changed_wall);
  out["reason"] = session.reason;
  out["will"] = nullptr;
  if (session.will && session.will->message) {
    About ignored;
    out["will"] = message_json(*session.will->message, ignored);
  }
  return true;
}

bool read_cursor(const RowView& row, Json& out, About& about) {
  ByteReader key{row.key};
  storage::CursorRow cursor;
  out["kind"] = "cursor";
  out["lane"] = key.u16();
  const SessionNumber session = key.u64();
  if (!key.done() || !storage::decode_row(row.value, cursor)) return false;
  out["client_id"] = row.owners.name(session);
  about.add(out["client_id"]);
  out["session"] = session;
  out["acknowledged_through"] = cursor.acked_through;
  out["sent_through"] = cursor.sent_through;
  out["acknowledged_beyond"] = cursor.done;
  out["released"] = cursor.released;
  return true;
}

bool read_inbound(const RowView& row, Json& out, About& about) {
  ByteReader key{row.key};
  out["lane"] = key.u16();
  out["id"] = key.u64();
  if (key.rest() == "r") {
    out["kind"] = "released";
    return key.ok();
  }
  storage::OutboxRow outbox;
  ByteReader value{row.value};
  const std::uint64_t entry = value.u64();
  if (!key.done() || !value.ok() || !storage::decode_outbox(value.rest(), outbox)) return false;
  constexpr std::array kinds = {"inbound", "will", "delayed"};
  const auto kind = static_cast<std::size_t>(outbox.kind);
  out["kind"] = kind < kinds.size() ? Json(kinds[kind]) : Json(kind);
  out["client_id"] = outbox.client_id;
  about.add(out["client_id"]);
  out["session"] = outbox.session;
  out["packet_id"] = outbox.packet_id;
  out["released"] = outbox.released;
  if (outbox.kind == storage::OutboxKind::delayed) out["due_at_store"] = outbox.due_at;
  out["journal_number"] = entry;
  return true;
}

bool read_retained(const RowView& row, Json& out, About& about) {
  const storage::RetainedRow retained = storage::read_retained(row.value);
  if (!retained.message) return false;
  out["kind"] = "retained";
  out["topic"] = row.key;
  out["version"] = retained.version;
  out["message"] = message_json(retained.message->encoded(), about);
  return true;
}

bool read_ledger(const RowView& row, Json& out, About& about) {
  ByteReader key{row.key};
  storage::CommandRow command;
  out["kind"] = "command";
  out["lane"] = key.u16();
  if (!key.ok() || !storage::decode_row(row.value, command)) return false;
  out["client_id"] = command.device;
  about.add(out["client_id"]);
  out["id"] = command.id;
  out["name"] = command.name;
  out["payload"] = text_or_base64(command.payload);
  out["created_at"] = time_text(command.created_at);
  out["expires_at"] = time_text(command.expires_wall);
  Json steps = Json::array();
  for (const storage::CommandStep& step : command.steps) {
    steps.push_back({{"state", broker::name(step.state)}, {"at", time_text(step.at)}});
  }
  out["states"] = std::move(steps);
  out["result"] = text_or_base64(command.result);
  return true;
}

bool read_stream(const RowView& row, Json& out, About& about) {
  ByteReader key{row.key};
  out["lane"] = key.u16();
  out["stream"] = key.bytes(key.u8());
  const char tag = static_cast<char>(key.u8());
  if (!key.ok()) return false;
  if (tag == 'c') {
    out["kind"] = "consumer";
    out["consumer"] = key.rest();
    out["cursor"] = text_or_base64(row.value);
    return true;
  }
  if (tag == 'm') {
    storage::StreamMarked mark;
    out["kind"] = "mark";
    if (!storage::decode_row(row.value, mark)) return false;
    out["offset"] = mark.offset;
    out["first_offset"] = mark.first_offset;
    out["keys"] = mark.keys.size();
    return true;
  }
  storage::StreamRow record;
  out["kind"] = "record";
  out["offset"] = key.u64();
  if (tag != 'r' || !key.done() || !storage::decode_row(row.value, record)) return false;
  out["key"] = text_or_base64(record.key);
  out["sequence"] = record.sequence;
  out["note"] = nullptr;
  if (record.note != 0 && record.note <= std::uint8_t(broker::StreamNote::too_many_keys)) {
    out["note"] = broker::name(static_cast<broker::StreamNote>(record.note));
    out["note_text"] = record.note_text;
  }
  out["message"] = record.message ? message_json(*record.message, about) : Json{};
  return !out["message"].is_null();
}

bool read_meta(const RowView& row, Json& out, About& /*about*/) {
  out["kind"] = row.key;
  storage::NodeRow node;
  if (row.key == storage::node_key) {
    if (!storage::decode_row(row.value, node)) return false;
    out["node"] = node.node;
    out["format"] = node.format;
    out["incarnation"] = node.incarnation;
    return true;
  }
  storage::BridgesRow bridges;
  if (row.key == storage::bridges_key) {
    if (!storage::decode_row(row.value, bridges)) return false;
    Json list = Json::array();
    for (const auto& each : bridges.bridges) {
      list.push_back({{"name", each.name}, {"client_id", each.client_id}});
    }
    out["bridges"] = std::move(list);
    return true;
  }
  storage::TimeRow time;
  if (row.key != storage::time_key || !storage::decode_row(row.value, time)) return false;
  out["store_ms"] = time.store;
  out["wall"] = time_text(time.wall);
  return true;
}

struct FamilyRow {
  Family family;
  const char* name;
  bool (*read)(const RowView&, Json&, About&);
};
constexpr std::array<FamilyRow, storage::family_count> families = {{
    {Family::journal, "journal", read_journal},
    {Family::session, "session", read_session},
    {Family::cursor, "cursor", read_cursor},
    {Family::inbound, "inbound", read_inbound},
    {Family::retained, "retained", read_retained},
    {Family::ledger, "ledger", read_ledger},
    {Family::stream, "stream", read_stream},
    {Family::meta, "meta", read_meta},
}};

Result<Owners> owners_of(const storage::KvStore& store) {
  Owners owners;
  const auto rows = store.scan(Family::session, {}, {});
  for (; rows->valid(); rows->next()) {
    storage::SessionRow session;
    const BytesView key = rows->key();
    if (key.size() < 3 || key[2] != 's' || !storage::decode_row(rows->value(), session)) continue;
    if (session.number != 0) owners.by_session[session.number] = Bytes{key.substr(3)};
  }
  const auto status = rows->status();
  if (!status) return status.error();
  return owners;
}

bool is_chosen(const DumpChoice& choice, const Json& row, const About& about) {
  std::optional<std::uint16_t> lane = about.lane;
  if (row.contains("lane")) lane = row["lane"].get<std::uint16_t>();
  if (choice.lane && lane != choice.lane) return false;
  if (choice.client_id.empty()) return true;
  return std::find(about.clients.begin(), about.clients.end(), choice.client_id) !=
         about.clients.end();
}

}  // namespace

const char* family_name(Family family) { return families[static_cast<std::size_t>(family)].name; }

std::string family_names() {
  std::string names;
  for (const FamilyRow& each : families) names.append(names.empty() ? "" : ", ").append(each.name);
  return names;
}

Result<void> dump_rows(const storage::KvStore& store, const DumpChoice& choice,
                       const std::function<bool(const Json&)>& show) {
  const auto owners = owners_of(store);
  if (!owners) return owners.error();
  bool known = false;
  for (const FamilyRow& family : families) {
    if (!choice.family.empty() && choice.family != family.name) continue;
    known = true;
    const auto rows = store.scan(family.family, {}, {});
    for (; rows->valid(); rows->next()) {
      Json row{{"family", family.name}};
      About about;
      if (!family.read({rows->key(), rows->value(), *owners}, row, about)) {
        row = Json{{"family", family.name},
                   {"unreadable", true},
                   {"key", {{"base64", base64(rows->key())}}},
                   {"value", {{"base64", base64(rows->value())}}}};
      }
      if (is_chosen(choice, row, about) && !show(row)) return {};
    }
    const auto status = rows->status();
    if (!status) return status.error();
  }
  if (known) return {};
  return Error{Errc::invalid,
               "there is no family '" + choice.family + "'; there are " + family_names()};
}

}  // namespace naru::tools

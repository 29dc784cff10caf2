// tools/naru/mosquitto_db.cpp: one row for each kind of chunk.
#include "tools/naru/mosquitto_db.hpp"

#include <array>

#include "broker/mqtt/properties.hpp"
#include "broker/mqtt/topics.hpp"
#include "storage/base/byte_reader.hpp"

namespace naru::tools {
namespace {

constexpr BytesView magic{"\0\xb5\0mosquitto db", 15};
constexpr std::uint32_t oldest_format = 5, newest_format = 6;

// Ids of messages and times stand as the machine had them; that is little endian everywhere
// mosquitto's packages are used.
std::uint64_t native_u64(ByteReader& in) {
  const BytesView bytes = in.bytes(8);
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  return value;
}

// The rest of a chunk is a block of properties with its length, or nothing.
template <class Visitor>
bool read_properties(ByteReader& in, BytesView& raw, Visitor&& visit) {
  if (in.empty()) return in.ok();
  const auto error = mqtt::decode_properties(in, mqtt::place::publish, raw, visit);
  return error == mqtt::DecodeError::none && in.done();
}

bool read_config(ByteReader& in, MosquittoDb&) {
  in.bytes(8 + 1 + 1 + 6);  // The last id, whether it ended well, the size of ids, padding.
  return in.done();
}

bool read_message(ByteReader& in, MosquittoDb& db) {
  MosquittoMessage message;
  message.id = native_u64(in);
  message.expires_at = static_cast<std::int64_t>(native_u64(in));
  const std::uint32_t payload = in.u32();
  in.u16();  // The sender's packet id.
  const std::uint16_t sender = in.u16();
  const std::uint16_t user = in.u16();
  const std::uint16_t topic = in.u16();
  in.u16();  // The port it came in.
  message.qos = in.u8();
  message.retain = in.u8() != 0;
  message.sender = in.bytes(sender);
  in.bytes(user);
  message.topic = in.bytes(topic);
  message.payload = in.bytes(payload);
  const bool good = read_properties(in, message.properties, [](const mqtt::Property&) {});
  if (!good || message.qos > 2 || !mqtt::valid_topic(message.topic)) return false;
  if (!db.by_id.emplace(message.id, db.messages.size()).second) return false;
  db.messages.push_back(message);
  return true;
}

bool read_place(ByteReader& in, MosquittoDb& db) {
  MosquittoPlace place;
  place.message = native_u64(in);
  place.packet_id = in.u16();
  const std::uint16_t client = in.u16();
  place.qos = in.u8();
  const std::uint8_t state = in.u8();
  place.retain = (in.u8() & 0xf0u) != 0;
  place.incoming = in.u8() == 0;
  place.client = in.bytes(client);
  BytesView raw;
  const bool good = read_properties(in, raw, [&](const mqtt::Property& found) {
    if (found.id == mqtt::property::subscription_identifier) place.subscription_id = found.number;
  });
  if (!good || place.qos > 2 || state > static_cast<std::uint8_t>(MosquittoState::queued)) {
    return false;
  }
  place.state = static_cast<MosquittoState>(state);
  db.places.push_back(place);
  return true;
}

bool read_retained(ByteReader& in, MosquittoDb& db) {
  db.retained.push_back(native_u64(in));
  return in.done();
}

bool read_subscription(ByteReader& in, MosquittoDb& db) {
  MosquittoSubscription one;
  one.id = in.u32();
  const std::uint16_t client = in.u16();
  const std::uint16_t filter = in.u16();
  one.qos = in.u8();
  one.options = in.u8();
  in.u16();  // Padding.
  one.client = in.bytes(client);
  one.filter = in.bytes(filter);
  if (!in.done() || one.qos > 2 || !mqtt::valid_filter(one.filter)) return false;
  db.subscriptions.push_back(one);
  return true;
}

bool read_client(ByteReader& in, MosquittoDb& db) {
  MosquittoClient client;
  client.expires_at = static_cast<std::int64_t>(native_u64(in));
  client.expiry_s = in.u32();
  in.u16();  // Its last packet id.
  const std::uint16_t id = in.u16();
  std::uint16_t user = 0;
  if (db.format >= 6) {
    in.u16();  // The port it came in.
    user = in.u16();
    in.u32();  // Padding.
  }
  client.id = in.bytes(id);
  in.bytes(user);
  if (!in.done() || client.id.empty() || !mqtt::valid_utf8(client.id)) return false;
  db.clients.push_back(client);
  return true;
}

struct ChunkRow {
  std::uint32_t kind;
  BytesView name;
  bool (*read)(ByteReader& in, MosquittoDb& db);
};
constexpr std::array<ChunkRow, 6> chunk_rows = {{
    {1, "configuration", read_config},
    {2, "message", read_message},
    {3, "queued message", read_place},
    {4, "retained message", read_retained},
    {5, "subscription", read_subscription},
    {6, "client", read_client},
}};

const ChunkRow* find_row(std::uint32_t kind) {
  for (const ChunkRow& row : chunk_rows) {
    if (row.kind == kind) return &row;
  }
  return nullptr;
}

Error damaged(std::size_t offset, const std::string& what) {
  return {Errc::corrupt, "the file is damaged at byte " + std::to_string(offset) + ": " + what +
                             "; nothing was imported"};
}

Result<void> read_head(ByteReader& in, MosquittoDb& db) {
  if (in.bytes(magic.size()) != magic) {
    return Error{Errc::invalid, "this is no mosquitto.db: it does not begin as one"};
  }
  in.u32();  // A checksum that mosquitto never fills in.
  db.format = in.u32();
  if (!in.ok()) return damaged(magic.size(), "its head is cut off");
  if (db.format >= oldest_format && db.format <= newest_format) return {};
  const bool is_old = db.format < oldest_format;
  return Error{is_old ? Errc::refused : Errc::newer,
               "the file has format " + std::to_string(db.format) + ", and 5 and 6 are known; " +
                   (is_old ? "start mosquitto 2.0 with it once and stop it, and it writes format 6"
                           : "it is of a later mosquitto than this release knows")};
}

// Every message that is named is there.
Result<void> check_references(const MosquittoDb& db) {
  const auto missing = [&](std::uint64_t id) { return !db.by_id.contains(id); };
  for (const MosquittoPlace& place : db.places) {
    if (!missing(place.message)) continue;
    return Error{Errc::corrupt, "the file is damaged: the queue of client '" + Bytes{place.client} +
                                    "' names message " + std::to_string(place.message) +
                                    ", which is not in it; nothing was imported"};
  }
  for (const std::uint64_t id : db.retained) {
    if (!missing(id)) continue;
    return Error{Errc::corrupt, "the file is damaged: it retains message " + std::to_string(id) +
                                    ", which is not in it; nothing was imported"};
  }
  return {};
}

}  // namespace

Result<MosquittoDb> decode_mosquitto_db(BytesView file) {
  MosquittoDb db;
  ByteReader in{file};
  const auto head = read_head(in, db);
  if (!head) return head.error();
  while (!in.empty()) {
    const std::size_t offset = file.size() - in.left();
    const std::uint32_t kind = in.u32();
    const std::uint32_t length = in.u32();
    if (!in.ok()) return damaged(offset, "the head of a chunk is cut off");
    const ChunkRow* const row = find_row(kind);
    if (row == nullptr) return damaged(offset, "there is no chunk of kind " + std::to_string(kind));
    if (length > in.left()) {
      return damaged(
          offset, "a " + Bytes{row->name} + " of " + std::to_string(length) + " bytes is cut off");
    }
    ByteReader chunk = in.take(length);
    if (!row->read(chunk, db)) return damaged(offset, "this " + Bytes{row->name} + " is none");
  }
  const auto whole = check_references(db);
  if (!whole) return whole.error();
  return db;
}

}  // namespace naru::tools

// test/support/history.hpp
//
// History is what the clients of a run saw, in order: the only evidence the checkers get.
// Timeline is the same evidence put together: which sessions there were, what became of each
// message. An outcome nobody was told (the connection broke first) stays unknown in both.
// Sans-IO values. One History per thread, merged afterwards by time. Owned by the run.
// Bounded by the run: 64 bytes a record; each text (topic, filter) is kept once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/clock.hpp"

namespace naru::test {

// Every payload carries its identity. Counters of a publisher ascend in the order of sending.
struct MessageId {
  std::uint32_t publisher = 0;
  std::uint64_t counter = 0;
  auto operator<=>(const MessageId&) const = default;
  static MessageId will_of(std::uint32_t client, std::uint32_t connection);
  bool is_will() const;
};
struct MessageIdHash {
  std::size_t operator()(const MessageId& id) const;
};

// The one payload a message can have: identity, topic and filler up to size.
Bytes payload_of(MessageId id, std::string_view topic, std::size_t size);
// False unless the bytes are exactly the payload of a message to this topic.
bool parse_payload(BytesView payload, std::string_view topic, MessageId& id);
bool filter_matches(std::string_view filter, std::string_view topic);

// clang-format off
enum class Event : std::uint8_t {
  connect_sent,      // number: our Receive Maximum. flags: clean_start, persistent
  connack,           // reason. flags: present
  disconnect_sent,   // A clean goodbye; whether the broker read it is unknown.
  connection_lost,   // Either side; what was in flight has an unknown outcome.
  session_ended,     // The client knows that its session is gone (expiry).
  session_unsure,    // It may be gone or not: any session_present is right.
  session_limited,   // A limit of the operator may have dropped messages.
  subscribe_sent,    // text: filter; qos. flags: no_local
  suback,            // text: filter; reason: granted QoS or failure
  unsubscribe_sent, unsuback,  // text: filter; reason of the answer
  publish_sent,     // message, text: topic, qos, packet_id. flags: dup, retain, cleared, may_expire
  puback, pubrec, pubcomp,  // message, reason
  received,  // message, text: topic, qos, packet_id, number: payload's crc32c. flags: dup, retain..
  ack_sent,         // packet_id: of a received message, PUBACK or PUBCOMP
  will_registered,  // message, text: topic, qos. flags: retain. Offered with CONNECT.
  will_due,         // message: must appear once
  will_cancelled,   // message: must never appear
  drained,          // The client has waited for all that is due to it; what is missing is lost.
  retained_read,    // A fresh subscriber has waited for all retained messages.
  protocol_error,   // text: what the broker did that the specification forbids
  broker_crash,     // kill -9 is about to happen; power loss is the same with unsynced bytes gone
  broker_power_loss, broker_started, disk_full, disk_has_room,
};
// clang-format on

namespace flag {
enum : std::uint16_t {
  dup = 1,
  retain = 2,
  clean_start = 4,
  persistent = 8,  // The session outlives its connection.
  present = 16,
  cleared = 32,  // Empty payload: carries no identity.
  again = 64,    // A QoS 2 client held this packet id already and kept the message to itself.
  broken = 128,  // The payload is none that payload_of() makes.
  may_expire = 256,
  no_local = 512,
};
}  // namespace flag

struct Record {
  Instant at{};
  Event event{};
  std::uint8_t qos = 0;
  std::uint8_t reason = 0;
  std::uint16_t flags = 0;
  std::uint16_t packet_id = 0;
  std::uint32_t client = 0;
  std::uint32_t connection = 0;  // The client's n-th, from 1.
  std::uint32_t text = 0;        // History::text()
  std::uint64_t number = 0;
  MessageId message{};
  bool has(unsigned bits) const { return (flags & bits) != 0; }
};

class History {
 public:
  void add(const Record& record) { records_.push_back(record); }
  std::uint32_t intern(std::string_view text);
  const std::string& text(std::uint32_t id) const { return texts_[id]; }
  const std::vector<Record>& records() const { return records_; }
  // Stable by time: records of equal time keep the order in which they were given.
  void merge(const History& other);
  std::string line(std::size_t index) const;  // One record for people.
  std::uint64_t digest() const;               // Equal for equal runs.
  Duration settled_after = Millis{100};  // A DISCONNECT is on disk; sooner a fault may undo it.

 private:
  std::vector<Record> records_;
  std::vector<std::string> texts_{""};
  std::unordered_map<std::string, std::uint32_t> ids_{{"", 0}};
};

constexpr std::size_t never = SIZE_MAX;  // An index of no record; later than every other.

struct Subscription {
  std::uint32_t filter = 0;
  std::uint8_t qos = 0;
  bool no_local = false;
  std::size_t asked = never, granted = never, dropped = never, gone = never;
};
struct Session {
  std::uint32_t client = 0;
  bool persistent = false, limited = false, complete = true;  // !complete: began unseen
  std::size_t begin = 0, end = never, drained = never;
  std::vector<Subscription> subscriptions;
  std::vector<std::size_t> received;  // Indices of Event::received.
};
struct Publish {  // One message as its publisher saw it; a will is one too.
  MessageId id{};
  std::uint32_t topic = 0, attempts = 0;
  std::uint8_t qos = 0;
  std::uint16_t flags = 0;
  std::size_t session = 0;  // In Timeline::sessions; never for a will.
  std::size_t sent = never, sent_last = never, received = never, acked = never;
  bool has(unsigned bits) const { return (flags & bits) != 0; }
};
struct Timeline {
  explicit Timeline(const History& seen);
  const Publish* find(MessageId id) const;
  bool matches(std::uint32_t filter, std::uint32_t topic) const;

  const History& history;  // Must outlive this.
  std::vector<Session> sessions;
  std::vector<Publish> publishes;
  std::vector<std::size_t> faults;  // Crashes and power losses.
  std::unordered_map<MessageId, std::size_t, MessageIdHash> by_id;
};

}  // namespace naru::test

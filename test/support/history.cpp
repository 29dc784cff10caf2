#include "test/support/history.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <deque>
#include <map>

#include "storage/base/check.hpp"

namespace naru::test {
namespace {

constexpr std::uint64_t will_bit = std::uint64_t{1} << 63;

struct EventRow {
  Event event;
  const char* name;
};
constexpr std::array event_rows = {
    EventRow{Event::connect_sent, "CONNECT"},
    EventRow{Event::connack, "connack"},
    EventRow{Event::disconnect_sent, "DISCONNECT"},
    EventRow{Event::connection_lost, "connection lost"},
    EventRow{Event::session_ended, "session ended"},
    EventRow{Event::session_unsure, "session unsure"},
    EventRow{Event::session_limited, "session limited"},
    EventRow{Event::subscribe_sent, "SUBSCRIBE"},
    EventRow{Event::suback, "suback"},
    EventRow{Event::unsubscribe_sent, "UNSUBSCRIBE"},
    EventRow{Event::unsuback, "unsuback"},
    EventRow{Event::publish_sent, "PUBLISH"},
    EventRow{Event::puback, "puback"},
    EventRow{Event::pubrec, "pubrec"},
    EventRow{Event::pubcomp, "pubcomp"},
    EventRow{Event::received, "received"},
    EventRow{Event::ack_sent, "ack sent"},
    EventRow{Event::will_registered, "will registered"},
    EventRow{Event::will_due, "will due"},
    EventRow{Event::will_cancelled, "will cancelled"},
    EventRow{Event::drained, "drained"},
    EventRow{Event::retained_read, "retained read"},
    EventRow{Event::protocol_error, "PROTOCOL ERROR"},
    EventRow{Event::broker_crash, "BROKER CRASH"},
    EventRow{Event::broker_power_loss, "BROKER POWER LOSS"},
    EventRow{Event::broker_started, "broker started"},
    EventRow{Event::disk_full, "DISK FULL"},
    EventRow{Event::disk_has_room, "disk has room"},
};

struct FlagRow {
  std::uint16_t bit;
  const char* name;
};
constexpr std::array flag_rows = {
    FlagRow{flag::dup, "dup"},
    FlagRow{flag::retain, "retain"},
    FlagRow{flag::clean_start, "clean-start"},
    FlagRow{flag::persistent, "persistent"},
    FlagRow{flag::present, "session-present"},
    FlagRow{flag::cleared, "empty"},
    FlagRow{flag::again, "again"},
    FlagRow{flag::broken, "broken"},
    FlagRow{flag::may_expire, "may-expire"},
    FlagRow{flag::no_local, "no-local"},
};

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

// Takes a decimal number and the space behind it off the front of the text.
bool take_number(BytesView& text, std::uint64_t& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto used = static_cast<std::size_t>(parsed.ptr - text.data());
  if (parsed.ec != std::errc{} || used >= text.size() || text[used] != ' ') return false;
  text.remove_prefix(used + 1);
  return true;
}

}  // namespace

MessageId MessageId::will_of(std::uint32_t client, std::uint32_t connection) {
  return {client, will_bit | connection};
}
bool MessageId::is_will() const { return (counter & will_bit) != 0; }
std::size_t MessageIdHash::operator()(const MessageId& id) const {
  return static_cast<std::size_t>(mixed(mixed(1, id.publisher), id.counter));
}

Bytes payload_of(MessageId id, std::string_view topic, std::size_t size) {
  Bytes payload = "naru " + std::to_string(id.publisher) + ' ' + std::to_string(id.counter) + ' ';
  // The whole length, in a field of fixed width: no two texts claim the same message.
  char length[16];
  const std::size_t whole = std::max(size, payload.size() + 9 + topic.size() + 1);
  std::snprintf(length, sizeof length, "%08u ", static_cast<unsigned>(whole));
  payload.append(length).append(topic).append("\n");
  // The filler differs from message to message, so bytes of another one are noticed.
  std::uint64_t state = mixed(mixed(7, id.publisher), id.counter);
  while (payload.size() < size) {
    state = mixed(state, 11);
    payload += static_cast<char>('a' + state % 26);
  }
  return payload;
}

bool parse_payload(BytesView payload, std::string_view topic, MessageId& id) {
  BytesView rest = payload;
  std::uint64_t publisher = 0, counter = 0, size = 0;
  if (rest.substr(0, 5) != "naru ") return false;
  rest.remove_prefix(5);
  if (!take_number(rest, publisher) || !take_number(rest, counter)) return false;
  if (!take_number(rest, size) || size > payload.size()) return false;
  const MessageId claimed{static_cast<std::uint32_t>(publisher), counter};
  if (payload_of(claimed, topic, static_cast<std::size_t>(size)) != payload) return false;
  id = claimed;
  return true;
}

bool filter_matches(std::string_view filter, std::string_view topic) {
  if (topic.substr(0, 1) == "$" && filter.substr(0, 1) != "$") return false;
  for (;;) {
    const std::size_t filter_end = std::min(filter.find('/'), filter.size());
    const std::size_t topic_end = std::min(topic.find('/'), topic.size());
    const std::string_view level = filter.substr(0, filter_end);
    if (level == "#") return true;
    if (level != "+" && level != topic.substr(0, topic_end)) return false;
    const bool filter_done = filter_end == filter.size();
    const bool topic_done = topic_end == topic.size();
    if (topic_done) return filter_done || filter.substr(filter_end) == "/#";
    if (filter_done) return false;
    filter.remove_prefix(filter_end + 1);
    topic.remove_prefix(topic_end + 1);
  }
}

std::uint32_t History::intern(std::string_view text) {
  const auto id = static_cast<std::uint32_t>(texts_.size());
  const auto [place, inserted] = ids_.emplace(text, id);
  if (inserted) texts_.emplace_back(text);
  return place->second;
}

void History::merge(const History& other) {
  const std::size_t own = records_.size();
  for (Record record : other.records_) {
    record.text = intern(other.text(record.text));
    records_.push_back(record);
  }
  const auto earlier = [](const Record& a, const Record& b) { return a.at < b.at; };
  const auto middle = records_.begin() + static_cast<std::ptrdiff_t>(own);
  std::inplace_merge(records_.begin(), middle, records_.end(), earlier);
}

std::string History::line(std::size_t index) const {
  const Record& record = records_[index];
  char start[160];
  std::snprintf(start, sizeof start, "#%zu %.6fs client %u.%u ", index,
                std::chrono::duration<double>(record.at.since_start).count(), record.client,
                record.connection);
  std::string line = start;
  for (const EventRow& row : event_rows)
    if (row.event == record.event) line += row.name;
  if (record.message != MessageId{}) {
    line += record.message.is_will() ? " will of " : " message ";
    line += std::to_string(record.message.publisher) + ':' +
            std::to_string(record.message.counter & ~will_bit);
  }
  if (record.text != 0) line += " '" + text(record.text) + '\'';
  std::snprintf(start, sizeof start, " qos %u id %u reason 0x%02x", unsigned{record.qos},
                unsigned{record.packet_id}, unsigned{record.reason});
  line += start;
  for (const FlagRow& row : flag_rows)
    if (record.has(row.bit)) line.append(" ").append(row.name);
  return line;
}

std::uint64_t History::digest() const {
  std::uint64_t hash = 1;
  for (const Record& record : records_) {
    hash = mixed(hash, static_cast<std::uint64_t>(record.at.since_start.count()));
    hash = mixed(hash, static_cast<std::uint64_t>(record.event) << 32 | record.flags);
    hash = mixed(hash, record.packet_id);
    hash = mixed(hash, std::uint64_t{record.qos} << 8 | record.reason);
    hash = mixed(hash, std::uint64_t{record.client} << 32 | record.connection);
    hash = mixed(hash, MessageIdHash{}(record.message));
    hash = mixed(hash, record.number);
    for (const char c : text(record.text)) hash = mixed(hash, static_cast<unsigned char>(c));
  }
  return hash;
}

namespace {

// Reads the records once, in order, and remembers for each client where it stands.
class TimelineBuilder {
 public:
  TimelineBuilder(const History& history, Timeline& out) : history_(history), out_(out) {}

  void build() {
    const auto& records = history_.records();
    for (std::size_t i = 0; i < records.size(); ++i) {
      on_connection(i, records[i]);
      on_subscription(i, records[i]);
      on_publish(i, records[i]);
    }
    // PUBREC binds the broker too, if the publisher's session lived on to finish the handshake.
    for (Publish& publish : out_.publishes) {
      if (publish.acked != never || publish.received == never || publish.session == never) continue;
      const Session& session = out_.sessions[publish.session];
      const bool finished = session.drained != never && session.drained > publish.received;
      if (session.persistent && finished) publish.acked = publish.received;
    }
  }

 private:
  struct Client {
    std::size_t session = never;
    std::uint16_t connect_flags = 0;
    std::size_t connect = never;
    // What each SUBSCRIBE of this connection that has no answer yet is about, by filter, in order.
    std::map<std::uint32_t, std::deque<std::size_t>> asking;
    // How many subscriptions there were at each UNSUBSCRIBE of this connection, likewise.
    std::map<std::uint32_t, std::deque<std::size_t>> leaving;
  };

  void end_session(Client& client, std::size_t at) {
    if (client.session != never) out_.sessions[client.session].end = at;
    client.session = never;
    client.asking.clear();
    client.leaving.clear();
  }
  void begin_session(Client& client, const Record& record, std::size_t at, bool complete) {
    Session session;
    session.client = record.client;
    session.persistent = (client.connect_flags & flag::persistent) != 0;
    session.complete = complete;
    session.begin = at;
    client.session = out_.sessions.size();
    out_.sessions.push_back(std::move(session));
  }
  Session* current(const Record& record) {
    const Client& client = clients_[record.client];
    return client.session == never ? nullptr : &out_.sessions[client.session];
  }

  void on_connack(std::size_t at, const Record& record, Client& client) {
    if (record.reason != 0) return;
    if (!record.has(flag::present)) {
      end_session(client, client.connect);
      begin_session(client, record, at, true);
    } else if (client.session == never) {
      begin_session(client, record, at, false);
    }
    out_.sessions[client.session].persistent = (client.connect_flags & flag::persistent) != 0;
  }

  void on_connection(std::size_t at, const Record& record) {
    Client& client = clients_[record.client];
    Session* session = current(record);
    switch (record.event) {
      case Event::connect_sent:
        client.connect_flags = record.flags;
        client.connect = at;
        client.asking.clear();
        client.leaving.clear();
        if (record.has(flag::clean_start)) end_session(client, at);
        break;
      case Event::connack: on_connack(at, record, client); break;
      case Event::connection_lost:
        if (session != nullptr && !session->persistent) end_session(client, at);
        break;
      case Event::session_ended:
      case Event::session_unsure: end_session(client, at); break;
      case Event::session_limited:
        if (session != nullptr) session->limited = true;
        break;
      case Event::drained:
        if (session != nullptr) session->drained = at;
        break;
      case Event::broker_crash:
      case Event::broker_power_loss: out_.faults.push_back(at); break;
      default: break;
    }
  }

  static Subscription* open_subscription(Session& session, std::uint32_t filter) {
    for (Subscription& subscription : session.subscriptions)
      if (subscription.filter == filter && subscription.dropped == never) return &subscription;
    return nullptr;
  }

  static Subscription asked_for(const Record& record, std::size_t at) {
    Subscription asked;
    asked.filter = record.text;
    asked.qos = record.qos;
    asked.no_local = record.has(flag::no_local);
    asked.asked = at;
    return asked;
  }

  void on_subscription(std::size_t at, const Record& record) {
    Session* session = current(record);
    if (session == nullptr) return;
    auto& asking = clients_[record.client].asking[record.text];
    auto& leaving = clients_[record.client].leaving[record.text];
    Subscription* open = open_subscription(*session, record.text);
    if (record.event == Event::subscribe_sent) {
      if (open == nullptr) open = &session->subscriptions.emplace_back(asked_for(record, at));
      asking.push_back(static_cast<std::size_t>(open - session->subscriptions.data()));
    } else if (record.event == Event::suback && !asking.empty()) {
      // The answer is to the oldest question, which may have been taken back meanwhile.
      Subscription& answered = session->subscriptions[asking.front()];
      asking.pop_front();
      if (record.reason > 2) return;
      // Asking again may lower the QoS: the lower one is what everybody can rely on.
      answered.qos =
          answered.granted == never ? record.reason : std::min(answered.qos, record.reason);
      answered.granted = std::min(answered.granted, at);
    } else if (record.event == Event::unsubscribe_sent) {
      if (open != nullptr) open->dropped = at;
      leaving.push_back(session->subscriptions.size());
    } else if (record.event == Event::unsuback && !leaving.empty()) {
      const bool refused = record.reason >= 0x80;
      for (std::size_t i = 0; i < leaving.front() && !refused; ++i) {
        Subscription& each = session->subscriptions[i];
        if (each.filter == record.text) each.gone = std::min(each.gone, at);
      }
      leaving.pop_front();
    } else if (record.event == Event::received) {
      session->received.push_back(at);
    }
  }

  Publish& publish_of(const Record& record, std::size_t at, std::size_t session) {
    const auto [place, inserted] = out_.by_id.emplace(record.message, out_.publishes.size());
    if (!inserted) return out_.publishes[place->second];
    Publish publish;
    publish.id = record.message;
    publish.topic = record.text;
    publish.qos = record.qos;
    publish.flags = record.flags;
    publish.session = session;
    publish.sent = at;
    return out_.publishes.emplace_back(publish);
  }

  void on_publish(std::size_t at, const Record& record) {
    if (record.event == Event::publish_sent || record.event == Event::will_registered) {
      const bool will = record.event == Event::will_registered;
      Publish& publish = publish_of(record, at, will ? never : clients_[record.client].session);
      ++publish.attempts;
      publish.sent_last = at;
      return;
    }
    const auto found = out_.by_id.find(record.message);
    if (found == out_.by_id.end() || record.reason >= 0x80) return;
    Publish& publish = out_.publishes[found->second];
    if (record.event == Event::pubrec) publish.received = std::min(publish.received, at);
    if (record.event == Event::puback || record.event == Event::pubcomp)
      publish.acked = std::min(publish.acked, at);
  }

  const History& history_;
  Timeline& out_;
  std::map<std::uint32_t, Client> clients_;
};

}  // namespace

Timeline::Timeline(const History& seen) : history(seen) { TimelineBuilder(seen, *this).build(); }

const Publish* Timeline::find(MessageId id) const {
  const auto found = by_id.find(id);
  return found == by_id.end() ? nullptr : &publishes[found->second];
}

bool Timeline::matches(std::uint32_t filter, std::uint32_t topic) const {
  std::string_view wanted = history.text(filter);
  constexpr std::string_view share = "$share/";
  if (wanted.starts_with(share)) {
    wanted.remove_prefix(share.size());
    wanted.remove_prefix(wanted.find('/') + 1);
  }
  return filter_matches(wanted, history.text(topic));
}

}  // namespace naru::test

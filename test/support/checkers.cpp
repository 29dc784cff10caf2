#include "test/support/checkers.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>

#include "test/support/claims.hpp"
#include "test/support/findings.hpp"

namespace naru::test {
namespace {

using Ids = std::unordered_set<MessageId, MessageIdHash>;

// What reached the application: a packet id held for another message hides a message.
Ids live_ids(const Timeline& run, const Session& session) {
  Ids ids;
  for (const std::size_t index : session.received)
    if (is_live(at(run, index)) && !at(run, index).has(flag::again))
      ids.insert(at(run, index).message);
  return ids;
}

// A message that was sent before the session asked for it, and again after, is new to it then.
bool asked_throughout(const Timeline& run, const Session& session, const Publish& publish,
                      std::size_t until) {
  return std::any_of(session.subscriptions.begin(), session.subscriptions.end(),
                     [&](const Subscription& each) {
                       return each.granted < publish.sent && until < each.dropped &&
                              wants(run, each, publish, session.client);
                     });
}

}  // namespace

Violations check_acked_delivery(const Timeline& run) {
  Findings findings{run, "acked delivery"};
  for (const Session& session : run.sessions) {
    if (session.drained == never) continue;
    const Ids received = live_ids(run, session);
    for (const Publish& publish : run.publishes) {
      const bool due = publish.qos > 0 && publish.acked < session.drained &&
                       !publish.id.is_will() && !publish.has(flag::cleared | flag::may_expire);
      if (!due || received.count(publish.id) != 0) continue;
      const Subscription* by = entitling(run, session, publish, publish.sent);
      if (by == nullptr) continue;
      findings.add(name_of(run, publish) + " was acknowledged and never reached " +
                       name_of(session) + ": lost",
                   &publish, {by->granted, publish.sent, publish.acked, session.drained});
    }
  }
  return findings.take();
}

Violations check_exactly_once(const Timeline& run) {
  Findings findings{run, "exactly once"};
  for (const Session& session : run.sessions) {
    std::map<MessageId, std::vector<std::size_t>> copies;
    for (const std::size_t index : session.received) {
      const Record& record = at(run, index);
      if (record.qos == 2 && is_live(record) && !record.has(flag::again))
        copies[record.message].push_back(index);
    }
    for (const auto& [id, where] : copies) {
      const Publish* publish = run.find(id);
      if (publish == nullptr || where.size() <= copies_allowed(run, session, *publish)) continue;
      findings.add(name_of(run, *publish) + " with QoS 2 was delivered " +
                       std::to_string(where.size()) + " times to " + name_of(session),
                   publish, {where.begin(), where.end()});
    }
  }
  return findings.take();
}

namespace {

// Empty, or what is wrong with a message that was received.
std::string invention(const Timeline& run, const Session& session, std::size_t index) {
  const Record& record = at(run, index);
  if (record.has(flag::broken)) return "a payload that nobody published";
  if (record.has(flag::cleared)) {
    for (const Publish& publish : run.publishes)
      if (publish.has(flag::cleared) && publish.topic == record.text) return {};
    return "an empty message on a topic that nobody cleared";
  }
  const Publish* publish = run.find(record.message);
  if (publish == nullptr || publish->sent > index) return "a message before it was published";
  if (publish->topic != record.text) return "a message on a topic it was not published to";
  if (record.qos > publish->qos) return "a message with a higher QoS than it was published with";
  if (!session.complete) return {};
  for (const Subscription& subscription : session.subscriptions) {
    const bool open = subscription.gone == never || publish->sent < subscription.gone;
    if (open && wants(run, subscription, *publish, session.client)) return {};
  }
  return "a message it is not subscribed to";
}

}  // namespace

Violations check_no_invention(const Timeline& run) {
  Findings findings{run, "no invention"};
  for (const Session& session : run.sessions) {
    for (const std::size_t index : session.received) {
      const std::string wrong = invention(run, session, index);
      if (!wrong.empty())
        findings.add(name_of(session) + " got " + wrong, run.find(at(run, index).message), {index});
    }
  }
  return findings.take();
}

Violations check_order(const Timeline& run) {
  using Source = std::tuple<std::size_t, std::uint32_t, std::uint8_t>;  // Session, topic, QoS.
  struct Last {
    std::size_t index = never;  // Of the newest first delivery.
    std::size_t copy = never;   // Of the last copy on the current connection.
  };
  Findings findings{run, "order"};
  for (const Session& session : run.sessions) {
    if (is_member(run, session)) continue;
    std::map<Source, Last> last;
    Ids seen;
    for (const std::size_t index : session.received) {
      const Record& record = at(run, index);
      const Publish* publish = is_live(record) ? run.find(record.message) : nullptr;
      if (publish == nullptr || publish->id.is_will() || record.has(flag::again)) continue;
      Last& before = last[{publish->session, publish->topic, publish->qos}];
      const bool first = seen.insert(publish->id).second;
      // Sent again, or, with QoS 2, released again after a start: what the session had not asked
      // for, or had let expire, is new to it then.
      const bool again = publish->attempts > 1 || publish->qos == 2;
      const bool later = (again && !asked_throughout(run, session, *publish, index)) ||
                         (publish->attempts > 1 && publish->has(flag::may_expire));
      const auto behind = [&](std::size_t other) {
        return other != never && at(run, other).message.counter > publish->id.counter;
      };
      const bool same_connection =
          before.copy != never && at(run, before.copy).connection == record.connection;
      const bool once =
          !later && publish->attempts == 1 && copies_allowed(run, session, *publish) == 1;
      const auto was_refused = [&] {
        return publish->attempts > 1 && disk_full_between(run, publish->sent, publish->sent_last);
      };
      if (first && !later && behind(before.index) && !was_refused())
        findings.add(name_of(run, *publish) + " reached " + name_of(session) + " after a later one",
                     publish, {before.index, index});
      else if (!first && once && same_connection && !record.has(flag::dup) && behind(before.copy))
        findings.add(name_of(run, *publish) + " came again, out of order, to " + name_of(session),
                     publish, {before.copy, index});
      if (first && !behind(before.index)) before.index = index;
      if (publish->attempts == 1) before.copy = index;
    }
  }
  return findings.take();
}

Violations check_duplicates(const Timeline& run) {
  Findings findings{run, "duplicates"};
  for (const Session& session : run.sessions) {
    if (is_member(run, session)) continue;
    for (const auto& [id, where] : deliveries(run, session)) {
      const Publish* publish = run.find(id);
      if (publish == nullptr) continue;
      const std::size_t allowed = publish->attempts * copies_allowed(run, session, *publish);
      if (where.size() <= allowed) continue;
      findings.add(name_of(run, *publish) + " was sent " + std::to_string(publish->attempts) +
                       " times and delivered " + std::to_string(where.size()) + " times to " +
                       name_of(session) + ", without a fault or reconnect that explains it",
                   publish, {where.begin(), where.end()});
    }
  }
  return findings.take();
}

namespace {

enum class Known : std::uint8_t { absent, present, unsure };

// Follows one client's session_present through the history.
class SessionModel {
 public:
  // Empty, or what is wrong with this record.
  std::string on_record(const Record& record) {
    switch (record.event) {
      case Event::connect_sent:
        connect_ = record.flags;
        before_ = record.has(flag::clean_start) ? Known::absent : known_;
        // Until the CONNACK comes nobody knows whether the broker saw the CONNECT.
        if (before_ != Known::present || !record.has(flag::persistent)) known_ = Known::unsure;
        return {};
      case Event::connack: return on_connack(record);
      case Event::connection_lost:
        if (accepted_ && (connect_ & flag::persistent) == 0) known_ = Known::absent;
        accepted_ = false;
        return {};
      case Event::session_ended: known_ = Known::absent; return {};
      case Event::session_unsure: known_ = before_ = Known::unsure; return {};
      default: return {};
    }
  }

 private:
  std::string on_connack(const Record& record) {
    if (record.reason != 0) {
      // Refused: nothing has changed.
      known_ = (connect_ & flag::clean_start) != 0 ? Known::unsure : before_;
      return record.has(flag::present) ? "a refused CONNECT with session_present" : "";
    }
    accepted_ = true;
    known_ = Known::present;
    const bool present = record.has(flag::present);
    if (present && before_ == Known::absent) return "session_present though there is no session";
    if (!present && before_ == Known::present) return "no session_present: the session is lost";
    return {};
  }

  Known known_ = Known::absent, before_ = Known::absent;
  std::uint16_t connect_ = 0;
  bool accepted_ = false;
};

// The last SUBACK of a connection; never when a SUBSCRIBE of it has none.
std::size_t last_answer(const Timeline& run, const Record& of) {
  const auto& records = run.history.records();
  std::size_t open = 0, answer = never;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].client != of.client || records[i].connection != of.connection) continue;
    if (records[i].event == Event::subscribe_sent) ++open;
    if (records[i].event != Event::suback || open == 0) continue;
    --open;
    answer = i;
  }
  return open == 0 ? answer : never;
}

// The retained replays of a session that no SUBSCRIBE explains.
void find_replays(const Timeline& run, const Session& session, Findings& findings) {
  std::map<std::uint32_t, std::size_t> newest_subscribe;  // By connection.
  const auto& records = run.history.records();
  for (std::size_t i = session.begin; i < std::min(session.end, records.size()); ++i)
    if (records[i].client == session.client && records[i].event == Event::subscribe_sent)
      newest_subscribe[records[i].connection] = i;
  for (const std::size_t index : session.received) {
    const Record& record = records[index];
    const Publish* publish = run.find(record.message);
    if (!record.has(flag::retain) || !session.complete || publish == nullptr) continue;
    if (newest_subscribe.count(record.connection) != 0 || newest_subscribe.empty()) continue;
    // A replay with QoS > 0 may still be on its way from an earlier SUBSCRIBE; but not a message
    // that is younger than the last SUBACK, and one with QoS 0 is never queued.
    const std::size_t asked = newest_subscribe.rbegin()->second;
    if (record.qos == 0 || publish->sent > last_answer(run, at(run, asked)))
      findings.add(name_of(session) + " got a retained replay at resume", publish, {asked, index});
  }
}

}  // namespace

Violations check_session_state(const Timeline& run) {
  Findings findings{run, "session state"};
  std::map<std::uint32_t, SessionModel> clients;
  std::map<std::uint32_t, std::size_t> connects;
  const auto& records = run.history.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::string wrong = clients[records[i].client].on_record(records[i]);
    if (records[i].event == Event::connect_sent) connects[records[i].client] = i;
    if (!wrong.empty())
      findings.add("client " + std::to_string(records[i].client) + " got " + wrong, nullptr,
                   {connects[records[i].client], i});
  }
  for (const Session& session : run.sessions) find_replays(run, session, findings);
  return findings.take();
}

namespace {

// What one client holds unacknowledged, by packet id.
struct Window {
  std::map<std::uint16_t, std::size_t> open;  // Of the session.
  std::set<std::uint16_t> here;               // Of these, received on this connection.
  std::uint64_t receive_maximum = 65'535;
};

void check_window(const Timeline& run, Window& window, std::size_t index, Findings& findings) {
  const Record& record = at(run, index);
  const std::string client = "client " + std::to_string(record.client);
  const auto [place, fresh] = window.open.emplace(record.packet_id, index);
  if (!fresh) {
    const Record& holder = at(run, place->second);
    const bool same = holder.message == record.message && holder.text == record.text;
    const bool repeated = window.here.count(record.packet_id) != 0 && !record.has(flag::dup);
    if (!same || repeated)
      findings.add(client + (same ? " got a message again without DUP before it acknowledged it"
                                  : " got another message under a packet id still in use"),
                   nullptr, {place->second, index});
    place->second = index;
  }
  window.here.insert(record.packet_id);
  if (window.here.size() > window.receive_maximum)
    findings.add(client + " holds more unacknowledged messages than its Receive Maximum of " +
                     std::to_string(window.receive_maximum),
                 nullptr, {index});
}

}  // namespace

Violations check_bounds(const Timeline& run) {
  Findings findings{run, "bounds"};
  std::map<std::uint32_t, Window> windows;
  const auto& records = run.history.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    Window& window = windows[record.client];
    if (record.event == Event::connect_sent) {
      window.here.clear();
      window.receive_maximum = record.number;
      if (record.has(flag::clean_start)) window.open.clear();
    } else if (record.event == Event::session_limited || record.event == Event::session_ended ||
               record.event == Event::session_unsure ||
               (record.event == Event::connack && record.reason == 0 &&
                !record.has(flag::present))) {
      window.open.clear();
    } else if (record.event == Event::received && record.packet_id != 0) {
      check_window(run, window, i, findings);
    } else if (record.event == Event::ack_sent) {
      window.open.erase(record.packet_id);
      window.here.erase(record.packet_id);
    }
  }
  return findings.take();
}

Violations check_protocol(const Timeline& run) {
  Findings findings{run, "protocol"};
  const auto& records = run.history.records();
  for (std::size_t i = 0; i < records.size(); ++i)
    if (records[i].event == Event::protocol_error)
      findings.add(run.history.text(records[i].text), nullptr, {i});
  return findings.take();
}

std::span<const Checker> all_checkers() {
  static constexpr std::array rows = {
      Checker{"acked delivery", check_acked_delivery},
      Checker{"exactly once", check_exactly_once},
      Checker{"no invention", check_no_invention},
      Checker{"order", check_order},
      Checker{"duplicates", check_duplicates},
      Checker{"session state", check_session_state},
      Checker{"wills", check_wills},
      Checker{"retained", check_retained},
      Checker{"groups", check_groups},
      Checker{"bounds", check_bounds},
      Checker{"protocol", check_protocol},
  };
  return rows;
}

Violations check_all(const History& history) {
  const Timeline run{history};
  Violations all;
  for (const Checker& checker : all_checkers())
    for (Violation& violation : checker.check(run)) all.push_back(std::move(violation));
  return all;
}

}  // namespace naru::test

// The checker of wills: each that is due comes once, and none that was called off.

#include <algorithm>
#include <map>

#include "test/support/claims.hpp"
#include "test/support/findings.hpp"

namespace naru::test {

namespace {

struct WillFate {
  std::size_t registered = never, due = never, cancelled = never;
};

// After a crash the broker waits a while for a client to return; who returns may keep or lose
// the will, so nothing is certain then.
bool saved_by_return(const Timeline& run, const Publish& will, std::size_t due) {
  const auto& records = run.history.records();
  for (std::size_t i = due; i < records.size(); ++i)
    if (records[i].event == Event::connect_sent && records[i].client == will.id.publisher)
      return fault_between(run, will.sent, i);
  return false;
}

// Nothing acknowledges DISCONNECT but that the broker lets the same client in again: what a fault
// soon after it, and before that, leaves of it is not known.
bool is_unsettled(const Timeline& run, std::size_t cancelled) {
  const auto& records = run.history.records();
  const auto known = std::find_if(
      records.begin() + static_cast<std::ptrdiff_t>(cancelled), records.end(),
      [&](const Record& record) {
        const bool in_time = record.at - at(run, cancelled).at < run.history.settled_after;
        const bool let_in = record.event == Event::connack && record.reason == 0;
        return !in_time || (let_in && record.client == at(run, cancelled).client);
      });
  return fault_between(run, cancelled, static_cast<std::size_t>(known - records.begin()));
}

Places wills_received(const Timeline& run, const Session& session) {
  Places found;
  for (const std::size_t index : session.received) {
    const Record& record = at(run, index);
    if (record.message.is_will() && is_live(record)) found[record.message].push_back(index);
  }
  return found;
}

const std::vector<std::size_t>& of(const Places& places, const MessageId& id) {
  static const std::vector<std::size_t> none;
  const auto found = places.find(id);
  return found == places.end() ? none : found->second;
}

void check_will(const Timeline& run, const Publish& will, const WillFate& fate,
                const Session& session, const std::vector<std::size_t>& copies,
                Findings& findings) {
  if (!copies.empty() && fate.cancelled != never && !is_unsettled(run, fate.cancelled)) {
    findings.add(name_of(run, will) + " was cancelled and reached " + name_of(session), &will,
                 {copies.begin(), copies.end()});
  } else if (copies.empty() && fate.due < session.drained && will.qos > 0) {
    const Subscription* by = entitling(run, session, will, fate.due);
    if (by != nullptr && !saved_by_return(run, will, fate.due))
      findings.add(name_of(run, will) + " was due and never reached " + name_of(session), &will,
                   {by->granted, fate.due, session.drained});
  }
}

}  // namespace

Violations check_wills(const Timeline& run) {
  Findings findings{run, "wills"};
  std::map<MessageId, WillFate> fates;
  const auto& records = run.history.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].event == Event::will_due) fates[records[i].message].due = i;
    if (records[i].event == Event::will_cancelled) fates[records[i].message].cancelled = i;
  }
  for (const Session& session : run.sessions) {
    const Places received = wills_received(run, session), delivered = deliveries(run, session);
    for (const Publish& will : run.publishes) {
      if (!will.id.is_will()) continue;
      check_will(run, will, fates[will.id], session, of(received, will.id), findings);
      const std::vector<std::size_t>& times = of(delivered, will.id);
      if (times.size() <= copies_allowed(run, session, will)) continue;
      findings.add(name_of(run, will) + " fired more than once for " + name_of(session), &will,
                   {times.begin(), times.end()});
    }
  }
  return findings.take();
}

}  // namespace naru::test

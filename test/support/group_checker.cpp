// The checker of groups: what became of each message among all members.

#include <algorithm>
#include <map>
#include <vector>

#include "test/support/findings.hpp"

namespace naru::test {

namespace {

struct Copy {
  std::size_t received = never;
  std::size_t completed = never;  // QoS 2: its PUBCOMP was sent.
};

// A member's session that keeps what waits, and has waited for all of it.
const Subscription* keeping(const Timeline& run, std::uint32_t group, const Publish& publish) {
  for (const Session& session : run.sessions) {
    if (!session.persistent || session.drained == never) continue;
    if (session.end < session.drained || session.limited) continue;
    for (const Subscription& each : session.subscriptions) {
      const bool held = each.granted < publish.sent && each.dropped > session.drained;
      if (each.filter == group && each.qos > 0 && held) return &each;
    }
  }
  return nullptr;
}

std::size_t completion_of(const Timeline& run, const Session& session, std::size_t received) {
  const auto& records = run.history.records();
  const Record& copy = records[received];
  for (std::size_t i = received; i < std::min(session.end, records.size()); ++i) {
    if (records[i].client != session.client || records[i].packet_id != copy.packet_id) continue;
    if (records[i].event == Event::ack_sent) return i;
  }
  return never;
}

using Copies = std::map<MessageId, std::vector<Copy>>;

// What members got; a member of several groups does not say which one it was.
Copies copies_of(const Timeline& run, std::uint32_t group) {
  Copies copies;
  for (const Session& session : run.sessions) {
    const bool member = std::any_of(session.subscriptions.begin(), session.subscriptions.end(),
                                    [&](const Subscription& s) { return s.filter == group; });
    if (!member) continue;
    for (const std::size_t index : session.received) {
      const Record& record = at(run, index);
      if (!is_live(record) || record.has(flag::again)) continue;
      Copy copy{index, never};
      if (record.qos == 2) copy.completed = completion_of(run, session, index);
      copies[record.message].push_back(copy);
    }
  }
  return copies;
}

void check_group(const Timeline& run, std::uint32_t group, Findings& findings) {
  const Copies copies = copies_of(run, group);
  for (const Publish& publish : run.publishes) {
    if (publish.qos == 0 || publish.id.is_will() || !run.matches(group, publish.topic)) continue;
    const auto found = copies.find(publish.id);
    const bool due = publish.acked != never && !publish.has(flag::cleared | flag::may_expire);
    if (found == copies.end()) {
      const Subscription* const by = due ? keeping(run, group, publish) : nullptr;
      if (by == nullptr) continue;
      findings.add(name_of(run, publish) + " was acknowledged and reached no member of '" +
                       run.history.text(group) + "'",
                   &publish, {by->granted, publish.sent, publish.acked});
      continue;
    }
    std::size_t completed = never;
    for (const Copy& copy : found->second) completed = std::min(completed, copy.completed);
    for (const Copy& copy : found->second) {
      const bool twice = completed != never && copy.received > completed;
      if (publish.qos != 2 || at(run, copy.received).qos != 2 || !twice) continue;
      findings.add(name_of(run, publish) + " with QoS 2 was taken by one member of '" +
                       run.history.text(group) + "' and then delivered again",
                   &publish, {completed, copy.received});
    }
  }
}

}  // namespace

Violations check_groups(const Timeline& run) {
  Findings findings{run, "groups"};
  std::set<std::uint32_t> groups;
  for (const Session& session : run.sessions) {
    for (const Subscription& each : session.subscriptions) {
      if (is_shared(run, each)) groups.insert(each.filter);
    }
  }
  for (const std::uint32_t group : groups) check_group(run, group, findings);
  return findings.take();
}

}  // namespace naru::test

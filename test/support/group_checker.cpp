// The checker of groups: what became of each message among all members.
//
// A member that subscribes to a topic in two ways does not say by which it got a message: such
// copies tell that a message arrived, and accuse nobody.

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "test/support/claims.hpp"
#include "test/support/findings.hpp"

namespace naru::test {

namespace {

constexpr Seconds settled_after{20};  // Who is connected for so long has been heard.
constexpr Seconds noticed_after{10};  // The broker knows by then that a connection is gone.
constexpr std::uint64_t lent_at_once = 64;

struct Copy {
  std::size_t received = never;
  std::size_t completed = never;  // QoS 2: its PUBCOMP was sent.
  const Session* session = nullptr;
  bool sure = true;  // Got as a member of this group.
};

class GroupCheck {
 public:
  GroupCheck(const Timeline& run, std::uint32_t group, Findings& findings)
      : run_(run), records_(run.history.records()), group_(group), findings_(findings) {
    for (const Session& session : run.sessions) {
      for (const Subscription& each : session.subscriptions) {
        if (each.filter == group) members_.insert(session.client);
      }
    }
    find_connections();
    find_copies();
    find_kept_since();
  }

  void check() {
    for (const Publish& publish : run_.publishes) {
      if (publish.id.is_will() || !run_.matches(group_, publish.topic)) continue;
      const auto found = copies_.find(publish.id);
      if (found != copies_.end()) {
        check_copies(publish, found->second);
      } else if (is_due(publish)) {
        missing_.push_back(&publish);
      }
    }
    check_missing();
    for (const Session& session : run_.sessions) {
      if (session.complete && members_.contains(session.client)) check_order(session);
    }
  }

 private:
  std::string text() const { return "'" + run_.history.text(group_) + "'"; }

  // ---- what there was ----

  void find_connections() {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const Record& record = records_[i];
      const bool of_disk = record.event == Event::disk_full || record.event == Event::disk_has_room;
      if (of_disk) moves_.push_back(i);  // What is not written is given to somebody again.
      if (!members_.contains(record.client)) continue;
      switch (record.event) {
        case Event::connect_sent:
          windows_[record.client] = std::min(record.number, lent_at_once);
          [[fallthrough]];
        case Event::disconnect_sent:
        case Event::connection_lost:
        case Event::session_ended:
        case Event::session_unsure:
          moves_.push_back(i);
          lost_.emplace(std::pair{record.client, record.connection}, i);
          break;
        default: break;
      }
      // A connection begins with the first of these, and ends with the next.
      if (record.event == Event::connect_sent) lost_.erase({record.client, record.connection});
    }
  }

  bool is_sure(std::uint32_t client, std::uint32_t topic) {
    const auto [place, fresh] = sure_.try_emplace({client, topic}, true);
    if (!fresh) return place->second;
    std::set<std::uint32_t> filters;
    for (const Session& session : run_.sessions) {
      if (session.client != client) continue;
      for (const Subscription& each : session.subscriptions) {
        if (run_.matches(each.filter, topic)) filters.insert(each.filter);
      }
    }
    return place->second = filters.size() == 1;
  }

  std::size_t completion_of(const Session& session, std::size_t received) const {
    const Record& copy = records_[received];
    for (std::size_t i = received; i < std::min(session.end, records_.size()); ++i) {
      if (records_[i].client != session.client) continue;
      const bool same = records_[i].packet_id == copy.packet_id;
      if (same && records_[i].event == Event::ack_sent) return i;
    }
    return never;
  }

  void find_copies() {
    for (const Session& session : run_.sessions) {
      if (!members_.contains(session.client)) continue;
      for (const std::size_t index : session.received) {
        const Record& record = records_[index];
        if (!is_live(record) || record.has(flag::again)) continue;
        if (!run_.matches(group_, record.text)) continue;
        Copy copy{index, never, &session, is_sure(session.client, record.text)};
        if (record.qos == 2) copy.completed = completion_of(session, index);
        copies_[record.message].push_back(copy);
      }
    }
    for (auto& [id, copies] : copies_) std::ranges::sort(copies, {}, &Copy::received);
  }

  // From when to when a subscription certainly makes a member that the group outlives nobody for.
  // Where the session ends by itself, nobody can say when.
  std::pair<std::size_t, std::size_t> certain(const Session& session,
                                              const Subscription& subscription) const {
    const std::pair none{never, never};
    if (session.limited || subscription.granted == never) return none;
    if (session.persistent && subscription.dropped < session.end) {
      return {subscription.granted, subscription.dropped};
    }
    if (session.end == never) {
      const bool lasted = session.drained != never && subscription.dropped == never;
      return lasted ? std::pair{subscription.granted, never} : none;
    }
    const Record& end = records_[session.end];
    const bool replaced = end.event == Event::connect_sent && end.has(flag::clean_start);
    return session.persistent && replaced ? std::pair{subscription.granted, session.end} : none;
  }

  // From then on there was a member all the time, to the end.
  void find_kept_since() {
    std::vector<std::pair<std::size_t, std::size_t>> times;
    for (const Session& session : run_.sessions) {
      for (const Subscription& each : session.subscriptions) {
        if (each.filter == group_) times.push_back(certain(session, each));
      }
    }
    for (bool more = true; more;) {
      more = false;
      for (const auto& [from, to] : times) {
        if (from >= kept_since_ || to < kept_since_) continue;
        kept_since_ = from;
        more = true;
      }
    }
  }

  // ---- what is lost ----

  bool is_due(const Publish& publish) const {
    if (publish.qos == 0 || publish.acked == never || publish.sent < kept_since_) return false;
    if (publish.has(flag::cleared | flag::may_expire)) return false;
    // A member that asked for QoS 0 may have had it, and not got it.
    return std::ranges::none_of(run_.sessions, [&](const Session& session) {
      return std::ranges::any_of(session.subscriptions, [&](const Subscription& each) {
        return each.filter == group_ && each.qos == 0 &&
               std::min(each.gone, session.end) > publish.sent;
      });
    });
  }

  // QoS 2 messages that members may have taken with them: sent, and their session has ended, maybe
  // before that and unnoticed.
  std::size_t taken_along(const Publish& publish) {
    std::size_t most = 0;
    for (const Session& session : run_.sessions) {
      const bool ended = session.end != never &&
                         records_[session.end].at + noticed_after > records_[publish.sent].at;
      if (ended && members_.contains(session.client)) most += windows_[session.client];
    }
    return most;
  }

  void check_missing() {
    std::size_t with_qos2 = 0;  // From the last one on.
    for (auto at = missing_.rbegin(); at != missing_.rend(); ++at) {
      const Publish& publish = **at;
      if (publish.qos == 2 && ++with_qos2 <= taken_along(publish)) continue;
      findings_.add(name_of(run_, publish) + " was acknowledged and reached no member of " + text(),
                    &publish, {kept_since_, publish.sent, publish.acked});
    }
  }

  // ---- what came too often ----

  void check_copies(const Publish& publish, const std::vector<Copy>& copies) {
    std::vector<const Copy*> sure;
    for (const Copy& copy : copies) {
      if (copy.sure) sure.push_back(&copy);
    }
    if (publish.qos == 0 && sure.size() > 1) {
      findings_.add(
          name_of(run_, publish) + " with QoS 0 reached more than one member of " + text(),
          &publish, {sure[0]->received, sure[1]->received});
    }
    if (publish.qos == 2) check_once(publish, sure);
    if (publish.qos > 0) check_settled(publish, sure);
  }

  // With QoS 2 the first who gets it is the only one. What a session that ended had is known only
  // to a broker that lived on.
  void check_once(const Publish& publish, const std::vector<const Copy*>& copies) {
    for (auto first = copies.begin(); first != copies.end(); ++first) {
      if (records_[(*first)->received].qos != 2) continue;
      for (auto other = std::next(first); other != copies.end(); ++other) {
        if (records_[(*other)->received].qos != 2) continue;  // It may have been sent before.
        const std::size_t later = (*other)->received;
        const bool ended = has_ended(*(*first)->session, later);
        // What was on its way when the broker died is seen behind that.
        const bool forgotten = ended && fault_between(run_, (*first)->session->begin, later);
        const bool moved = !may_be_one(**first, **other) && !forgotten;
        if (!moved && (*first)->completed > later) continue;
        findings_.add(name_of(run_, publish) + " with QoS 2 was " +
                          (moved ? "sent to" : "taken by") + " one member of " + text() +
                          " and then delivered again",
                      &publish, {(*first)->received, (*first)->completed, later});
      }
    }
  }

  // A clean start that was refused, or has no answer, may have left the session as it was: what is
  // seen later is then not known from its beginning.
  static bool may_be_one(const Copy& first, const Copy& later) {
    const bool resumed = first.session->client == later.session->client && !later.session->complete;
    return first.session == later.session || resumed;
  }

  // One that ended by itself may have done so long before its client came to know.
  bool has_ended(const Session& session, std::size_t until) const {
    if (session.end == never || session.end < until) return session.end != never;
    const Event how = records_[session.end].event;
    return how == Event::session_unsure || how == Event::session_ended;
  }

  // Each copy was acknowledged or its connection ended; only the latter is tried again.
  void check_settled(const Publish& publish, const std::vector<const Copy*>& copies) {
    if (copies.empty() || fault_between(run_, copies.front()->received, copies.back()->received))
      return;
    std::set<std::size_t> settled;
    for (const Copy* const copy : copies) {
      const Record& record = records_[copy->received];
      const auto lost = lost_.find({record.client, record.connection});
      const bool stayed = record.qos == 0 || lost == lost_.end() ||
                          records_[lost->second].at - record.at >= settled_after;
      if (record.qos < 2 && stayed && !is_repeated(*copy, copies)) settled.insert(copy->received);
    }
    const std::size_t most = publish.qos == 2 ? 1 : publish.attempts;
    if (settled.size() <= most) return;
    findings_.add(name_of(run_, publish) + " was sent " + std::to_string(most) +
                      " times and given to " + std::to_string(settled.size()) + " members of " +
                      text() + " that all stayed",
                  &publish, settled);
  }

  // The same delivery once more.
  bool is_repeated(const Copy& copy, const std::vector<const Copy*>& copies) const {
    const Record& record = records_[copy.received];
    return record.has(flag::dup) && std::ranges::any_of(copies, [&](const Copy* other) {
             const Record& that = records_[other->received];
             return other->received < copy.received && may_be_one(*other, copy) &&
                    that.packet_id == record.packet_id;
           });
  }

  // ---- order ----

  // What one member gets of one publisher, for the first time, is in order, until somebody gives
  // something back: that is older than what others have.
  void check_order(const Session& session) {
    std::map<std::tuple<std::size_t, std::uint32_t, std::uint8_t>, std::size_t> newest;
    std::set<MessageId> seen;
    for (const std::size_t index : session.received) {
      const Record& record = records_[index];
      const Publish* const publish = is_live(record) ? run_.find(record.message) : nullptr;
      if (publish == nullptr || publish->id.is_will() || record.has(flag::again)) continue;
      if (!run_.matches(group_, publish->topic) || !seen.insert(publish->id).second) continue;
      if (!is_sure(session.client, publish->topic) || publish->attempts > 1) continue;
      if (!is_member(session, *publish, index)) continue;
      const auto [before, first] =
          newest.try_emplace({publish->session, publish->topic, publish->qos}, index);
      if (first) continue;
      if (records_[before->second].message.counter < publish->id.counter) {
        before->second = index;
      } else if (!given_back(*publish, index)) {
        findings_.add(name_of(run_, *publish) + " reached " + name_of(session) + ", a member of " +
                          text() + ", after a later one",
                      publish, {before->second, index});
      }
    }
  }

  bool is_member(const Session& session, const Publish& publish, std::size_t until) const {
    return std::ranges::any_of(session.subscriptions, [&](const Subscription& each) {
      return each.filter == group_ && each.granted < publish.sent && until < each.dropped;
    });
  }

  // Somebody may have had it and gone.
  bool given_back(const Publish& publish, std::size_t received) const {
    const Instant from = records_[publish.sent].at - noticed_after;
    const auto move = std::ranges::lower_bound(
        moves_, from, {}, [this](std::size_t index) { return records_[index].at; });
    return (move != moves_.end() && *move < received) ||
           fault_between(run_, publish.sent, received);
  }

  const Timeline& run_;
  const std::vector<Record>& records_;
  const std::uint32_t group_;
  Findings& findings_;
  std::set<std::uint32_t> members_;                 // Clients that ever were.
  std::map<std::uint32_t, std::uint64_t> windows_;  // What each may hold.
  std::vector<std::size_t> moves_;  // Connections of members begin or end, or disks fill up.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> lost_;  // By connection.
  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> sure_;         // By client and topic.
  std::map<MessageId, std::vector<Copy>> copies_;
  std::vector<const Publish*> missing_;
  std::size_t kept_since_ = never;
};

void check_retained_copies(const Timeline& run, const Session& session, Findings& findings) {
  const bool shares_all = session.complete && !session.subscriptions.empty() &&
                          std::ranges::all_of(session.subscriptions, [&](const Subscription& each) {
                            return is_shared(run, each);
                          });
  if (!shares_all) return;
  for (const std::size_t index : session.received) {
    if (!at(run, index).has(flag::retain)) continue;
    findings.add(name_of(session) + " got a retained message as a member of a group",
                 run.find(at(run, index).message), {index});
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
    check_retained_copies(run, session, findings);
  }
  for (const std::uint32_t group : groups) GroupCheck{run, group, findings}.check();
  return findings.take();
}

}  // namespace naru::test

// The checker of retained messages: what a reader gets once all is quiet.

#include <algorithm>
#include <map>

#include "test/support/findings.hpp"

namespace naru::test {

namespace {

// What one topic's stored copy may be once all is quiet.
class RetainedTopic {
 public:
  void add(const Publish& publish) {
    all_.push_back(&publish);
    if (publish.acked == never) return;
    newest_ = std::max(newest_, publish.sent);
    std::size_t& own = newest_of_[{publish.session, publish.qos}];
    own = std::max(own, publish.sent);
    acked_ = true;
  }
  // Replaced for certain: something acknowledged was sent after this had taken effect.
  bool is_replaced(const Timeline& run, const Publish& publish) const {
    if (acked_ && effect_end(run, publish) < newest_) return true;
    const auto own = newest_of_.find({publish.session, publish.qos});
    return own != newest_of_.end() && publish.sent < own->second;
  }
  bool may_be_absent(const Timeline& run) const {
    return !acked_ || std::any_of(all_.begin(), all_.end(), [&](const Publish* publish) {
      return publish->has(flag::cleared | flag::may_expire) && !is_replaced(run, *publish);
    });
  }
  // The last acknowledged one, to show it.
  std::size_t newest() const { return acked_ ? newest_ : never; }

 private:
  static std::size_t effect_end(const Timeline& run, const Publish& publish) {
    if (publish.acked != never)
      return at(run, publish.acked).event == Event::pubrec ? never : publish.acked;
    // Unknown: it may take effect until the broker that may hold it dies. A QoS 2 handshake and
    // a will live on in the store.
    if (publish.qos == 2 || publish.id.is_will()) return never;
    const auto fault = std::lower_bound(run.faults.begin(), run.faults.end(), publish.sent_last);
    return fault == run.faults.end() ? never : *fault;
  }

  std::vector<const Publish*> all_;
  std::map<std::pair<std::size_t, std::uint8_t>, std::size_t> newest_of_;
  std::size_t newest_ = 0;
  bool acked_ = false;
};

using RetainedTopics = std::map<std::uint32_t, RetainedTopic>;

// What one reader holds per topic, as indices of its receipts.
std::map<std::uint32_t, std::size_t> values_read(const Timeline& run, const Session& session,
                                                 std::size_t until) {
  std::map<std::uint32_t, std::size_t> values;
  for (const std::size_t index : session.received) {
    const Record& record = at(run, index);
    if (index < until && record.has(flag::retain) && !record.has(flag::cleared | flag::broken))
      values[record.text] = index;
  }
  return values;
}

void check_reader(const Timeline& run, const RetainedTopics& topics, const Session& session,
                  std::size_t done, Findings& findings) {
  const auto values = values_read(run, session, done);
  for (const auto& [topic, store] : topics) {
    const bool asked =
        std::any_of(session.subscriptions.begin(), session.subscriptions.end(),
                    [&, t = topic](const Subscription& s) { return run.matches(s.filter, t); });
    if (!asked) continue;
    const std::string where = " on '" + run.history.text(topic) + "' for " + name_of(session);
    const auto value = values.find(topic);
    if (value == values.end()) {
      if (!store.may_be_absent(run))
        findings.add("no retained message" + where + ", though one was acknowledged", nullptr,
                     {store.newest(), done});
      continue;
    }
    const Publish* publish = run.find(at(run, value->second).message);
    if (publish == nullptr || !publish->has(flag::retain))
      findings.add("a retained message that nobody retained" + where, publish, {value->second});
    else if (store.is_replaced(run, *publish))
      findings.add("a stale retained message" + where + ": a later one was acknowledged", publish,
                   {store.newest(), value->second});
  }
}

}  // namespace

Violations check_retained(const Timeline& run) {
  Findings findings{run, "retained"};
  RetainedTopics topics;
  for (const Publish& publish : run.publishes)
    if (publish.has(flag::retain)) topics[publish.topic].add(publish);
  const auto& records = run.history.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].event != Event::retained_read) continue;
    for (const Session& session : run.sessions)
      if (session.client == records[i].client && session.begin < i && i < session.end)
        check_reader(run, topics, session, i, findings);
  }
  return findings.take();
}

}  // namespace naru::test

#include "test/support/claims.hpp"

#include <algorithm>
#include <set>

#include "test/support/findings.hpp"

namespace naru::test {

bool wants(const Timeline& run, const Subscription& subscription, const Publish& publish,
           std::uint32_t client) {
  return !(subscription.no_local && publish.id.publisher == client) &&
         run.matches(subscription.filter, publish.topic);
}

std::size_t copies_allowed(const Timeline& run, const Session& session, const Publish& publish) {
  std::set<std::uint32_t> filters;
  for (const Subscription& subscription : session.subscriptions)
    if (wants(run, subscription, publish, session.client)) filters.insert(subscription.filter);
  return std::max<std::size_t>(filters.size(), 1);
}

const Subscription* entitling(const Timeline& run, const Session& session, const Publish& publish,
                              std::size_t sent) {
  if (session.drained == never || session.end < session.drained || session.limited) return nullptr;
  for (const Subscription& subscription : session.subscriptions) {
    const bool held = !is_shared(run, subscription) && subscription.granted < sent &&
                      subscription.dropped > session.drained;
    if (held && subscription.qos > 0 && wants(run, subscription, publish, session.client))
      return &subscription;
  }
  return nullptr;
}

bool fault_between(const Timeline& run, std::size_t from, std::size_t to) {
  const auto first = std::lower_bound(run.faults.begin(), run.faults.end(), from);
  return first != run.faults.end() && *first < to;
}

bool disk_full_between(const Timeline& run, std::size_t from, std::size_t to) {
  bool full = false;
  for (std::size_t i = 0; i < std::min(to, run.history.records().size()); ++i) {
    if (at(run, i).event == Event::disk_full) full = true;
    if (i >= from && full) return true;
    if (at(run, i).event == Event::disk_has_room) full = false;
  }
  return false;
}

Places deliveries(const Timeline& run, const Session& session) {
  Places found;
  for (const std::size_t index : session.received) {
    const Record& record = at(run, index);
    if (!is_live(record) || record.qos == 2) continue;
    std::vector<std::size_t>& earlier = found[record.message];
    const bool repeated = std::any_of(earlier.begin(), earlier.end(), [&](std::size_t other) {
      const Record& that = at(run, other);
      return record.qos == 1 && that.packet_id == record.packet_id &&
             (record.has(flag::dup) || that.connection != record.connection);
    });
    if (!repeated) earlier.push_back(index);
  }
  return found;
}

}  // namespace naru::test

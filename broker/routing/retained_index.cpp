#include "broker/routing/retained_index.hpp"

#include "broker/mqtt/topics.hpp"

namespace naru::broker {

void RetainedIndex::put(BytesView topic, RetainedMessage retained) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) {
    if (retained.message) topics_.emplace(Bytes{topic}, std::move(retained));
    return;
  }
  if (found->second.version >= retained.version) return;
  if (retained.message) {
    found->second = std::move(retained);
  } else {
    topics_.erase(found);
  }
}

const RetainedMessage* RetainedIndex::find(BytesView topic) const {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : &found->second;
}

Bytes RetainedIndex::find_expired(StoreMillis now, std::size_t steps) {
  auto at = topics_.lower_bound(sweep_from_);
  for (; steps > 0 && at != topics_.end(); --steps, ++at) {
    if (at->second.message && at->second.message->expired(now)) {
      sweep_from_ = at->first;
      return at->first;
    }
  }
  sweep_from_ = at == topics_.end() ? Bytes{} : at->first;
  return {};
}

// What every match begins with: the filter up to its first wildcard. "a/#" also matches "a", so
// the slash before '#' is not part of it.
BytesView RetainedIndex::literal_prefix(BytesView filter) {
  const std::size_t wildcard = filter.find_first_of("+#");
  if (wildcard == BytesView::npos) return filter;
  const bool hash_below = filter[wildcard] == '#' && wildcard > 0;
  return filter.substr(0, hash_below ? wildcard - 1 : wildcard);
}

bool RetainedIndex::matches(BytesView filter, BytesView topic) {
  return mqtt::filter_matches(filter, topic);
}

}  // namespace naru::broker

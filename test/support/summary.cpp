// Figures of a run, for its closing line.

#include <unordered_set>

#include "test/support/findings.hpp"

namespace naru::test {

Summary summarize(const Timeline& run) {
  Summary summary;
  for (const Publish& publish : run.publishes) {
    if (publish.id.is_will()) continue;
    ++summary.sent;
    ++(publish.acked == never ? summary.unknown : summary.acked);
  }
  for (const Session& session : run.sessions) {
    std::unordered_set<MessageId, MessageIdHash> seen;
    for (const std::size_t index : session.received) {
      if (!is_live(at(run, index))) continue;
      const bool first = seen.insert(at(run, index).message).second;
      ++(first ? summary.received : summary.duplicates);
    }
  }
  return summary;
}

}  // namespace naru::test

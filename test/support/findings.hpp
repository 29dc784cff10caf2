// test/support/findings.hpp
//
// Findings collects what one checker has to say, with the lines of the history that show it; and
// the few words checkers share about records.
//
// Sans-IO. Lives for one check; the Timeline must outlive it. Bounded: five findings are shown in
// full, fourteen lines each.
#pragma once

#include <algorithm>
#include <set>
#include <string>

#include "test/support/checkers.hpp"

namespace naru::test {

// Collects what one checker finds.
class Findings {
 public:
  Findings(const Timeline& run, std::string_view checker) : run_(run), checker_(checker) {}

  // Shows the given lines and all lines about the message, in order.
  void add(const std::string& what, const Publish* publish, std::set<std::size_t> lines) {
    if (++count_ > shown_in_full) return;
    const auto& records = run_.history.records();
    for (std::size_t i = 0; i < records.size() && lines.size() < lines_shown; ++i)
      if (publish != nullptr && records[i].message == publish->id) lines.insert(i);
    lines.erase(never);
    std::string text = what;
    for (const std::size_t line : lines) text += "\n    " + run_.history.line(line);
    found_.push_back({std::string(checker_), text});
  }
  Violations take() {
    if (count_ > shown_in_full)
      found_.push_back({std::string(checker_),
                        "and " + std::to_string(count_ - shown_in_full) + " more like these"});
    return std::move(found_);
  }

 private:
  static constexpr std::size_t shown_in_full = 5;
  static constexpr std::size_t lines_shown = 14;

  const Timeline& run_;
  std::string_view checker_;
  Violations found_;
  std::size_t count_ = 0;
};

inline std::string name_of(const Timeline& run, const Publish& publish) {
  return std::string(publish.id.is_will() ? "the will" : "message") + " of publisher " +
         std::to_string(publish.id.publisher) + " to '" + run.history.text(publish.topic) + "'";
}
inline std::string name_of(const Session& session) {
  return "the session of client " + std::to_string(session.client);
}

inline const Record& at(const Timeline& run, std::size_t index) {
  return run.history.records()[index];
}

// Whether it is a member of a group by that.
inline bool is_shared(const Timeline& run, const Subscription& subscription) {
  return run.history.text(subscription.filter).starts_with("$share/");
}
// A session that began unseen may have what its client asked for in another one.
inline bool is_member(const Timeline& run, const Session& session) {
  const auto shares = [&](const Session& each) {
    return each.client == session.client &&
           std::any_of(each.subscriptions.begin(), each.subscriptions.end(),
                       [&](const Subscription& one) { return is_shared(run, one); });
  };
  return std::any_of(run.sessions.begin(), run.sessions.end(), shares);
}

// A copy sent because of a publish, not one out of the retained store.
inline bool is_live(const Record& record) {
  return !record.has(flag::retain | flag::broken | flag::cleared);
}

}  // namespace naru::test

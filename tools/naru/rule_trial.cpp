// tools/naru/rule_trial.cpp
#include "tools/naru/rule_trial.hpp"

#include <algorithm>

#include "broker/mqtt/topics.hpp"
#include "broker/stream/rule.hpp"

namespace naru::tools {

Result<std::vector<RuleVerdict>> try_rules(const broker::Config& config,
                                           const storage::MessageView& message) {
  std::vector<RuleVerdict> verdicts;
  for (const broker::RuleConfig& rule : config.rules) {
    const auto key = broker::KeyTemplate::parse(rule.key);
    if (!key) return Error{Errc::invalid, "rule " + rule.name + ": " + key.error().text};
    RuleVerdict& verdict = verdicts.emplace_back();
    verdict.rule = rule.name;
    const auto found = std::find_if(
        rule.from.begin(), rule.from.end(),
        [&](const std::string& filter) { return mqtt::filter_matches(filter, message.topic); });
    if (found == rule.from.end()) continue;
    verdict.filter = *found;
    broker::KeyTemplate::Made made = key->make(message);
    const bool dead = made.note != broker::StreamNote::none;
    verdict.stream = dead ? std::string{broker::dead_letter_stream} : rule.to;
    if (!dead) {
      verdict.key = std::move(made.key);
      continue;
    }
    verdict.note = name(made.note);
    verdict.note_text = std::move(made.note_text);
  }
  return verdicts;
}

}  // namespace naru::tools

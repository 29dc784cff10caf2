// tools/naru/rule_trial.hpp
//
// What the rules of a configuration make of a message, without a broker.
//
// Sans-IO; pure. Lives on any thread.
#pragma once

#include <string>
#include <vector>

#include "broker/app/config.hpp"
#include "storage/base/result.hpp"
#include "storage/tables/message.hpp"

namespace naru::tools {

struct RuleVerdict {
  std::string rule;
  std::string filter;  // The first that matches; empty: none does, and nothing else is said.
  std::string stream;  // Where the message goes: the rule's, or the dead letters.
  std::string key;     // Empty for a dead letter.
  std::string note;    // Why it is a dead letter: a StreamNote's name; empty: it is none.
  std::string note_text;
};

// One for each rule, in the order of the configuration.
Result<std::vector<RuleVerdict>> try_rules(const broker::Config& config,
                                           const storage::MessageView& message);

}  // namespace naru::tools

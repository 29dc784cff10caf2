#include "broker/bridge/topic_rule.hpp"

#include <array>
#include <utility>

#include "broker/mqtt/topics.hpp"

namespace naru::broker {

namespace {

constexpr std::array<std::pair<BytesView, TopicRule::Direction>, 3> directions = {{
    {"out", TopicRule::Direction::out},
    {"in", TopicRule::Direction::in},
    {"both", TopicRule::Direction::both},
}};

BytesView take_word(BytesView& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const BytesView word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

BytesView unquoted(BytesView word) { return word == "\"\"" ? BytesView{} : word; }

Error fault(BytesView word, BytesView what) {
  return {Errc::invalid, "'" + Bytes{word} + "' " + Bytes{what}};
}

Result<void> check(const TopicRule& rule) {
  for (const Side side : {Side::local, Side::remote}) {
    const Bytes& prefix = rule.prefix(side);
    if (prefix.find_first_of("+#") != Bytes::npos) {
      return fault(prefix, "has a wildcard: prefixes are plain text");
    }
    const Bytes filter = rule.filter(side);
    if (filter.empty()) {
      return Error{Errc::invalid, "the pattern \"\" needs both prefixes: they are the topics"};
    }
    if (!mqtt::valid_filter(filter) || mqtt::is_shared(filter)) {
      return fault(filter, "is no filter of MQTT that a bridge can have");
    }
  }
  return {};
}

}  // namespace

Result<TopicRule> TopicRule::parse(BytesView text) {
  TopicRule rule;
  rule.pattern = unquoted(take_word(text));
  if (const BytesView word = take_word(text); !word.empty()) {
    bool known = false;
    for (const auto& [name, direction] : directions) {
      if (word != name) continue;
      rule.direction = direction;
      known = true;
    }
    if (!known) return fault(word, "is no direction: write out, in or both");
  }
  if (const BytesView word = take_word(text); !word.empty()) {
    if (word.size() != 1 || word[0] < '0' || word[0] > '2') {
      return fault(word, "is no QoS: write 0, 1 or 2");
    }
    rule.qos = static_cast<mqtt::Qos>(word[0] - '0');
  }
  rule.local_prefix = unquoted(take_word(text));
  rule.remote_prefix = unquoted(take_word(text));
  if (const BytesView word = take_word(text); !word.empty()) {
    return fault(word, "is one word too many: PATTERN DIRECTION QOS LOCAL-PREFIX REMOTE-PREFIX");
  }
  const auto checked = check(rule);
  if (!checked) return checked.error();
  return rule;
}

std::optional<Bytes> map_topic(const std::vector<TopicRule>& rules, Side from, BytesView topic) {
  for (const TopicRule& rule : rules) {
    if (!rule.leads_from(from) || !mqtt::filter_matches(rule.filter(from), topic)) continue;
    return rule.prefix(other(from)) + Bytes{topic.substr(rule.prefix(from).size())};
  }
  return std::nullopt;
}

}  // namespace naru::broker

#include "broker/auth/acl.hpp"

#include <algorithm>
#include <utility>

#include "broker/auth/text_file.hpp"
#include "broker/mqtt/filters.hpp"
#include "broker/mqtt/topics.hpp"
#include "storage/base/limits.hpp"
#include "storage/base/options.hpp"

namespace naru::broker {

namespace {

constexpr std::uint8_t bit(Access access) { return static_cast<std::uint8_t>(access); }

struct AccessWord {
  std::string_view word;
  std::uint8_t grants;
};
constexpr AccessWord access_words[] = {
    {"read", bit(Access::read)},
    {"write", bit(Access::write)},
    {"readwrite", bit(Access::read) | bit(Access::write)},
    {"deny", 0},
};

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

std::string in_quotes(std::string_view text) { return "'" + std::string{text} + "'"; }

bool has_wildcard(BytesView name) { return name.find_first_of("+#") != BytesView::npos; }
// Null: both are fine.
const char* odd_name_of(const AclSubject& subject) {
  if (has_wildcard(subject.client_id)) return "client id";
  return has_wildcard(subject.user) ? "user name" : nullptr;
}

std::string fault_of_filter(std::string_view topic, const Bytes& shape) {
  if (topic.size() <= limits::topic_bytes && mqtt::valid_filter(shape)) return {};
  return in_quotes(topic) +
         " is no filter of MQTT: '+' and '#' are levels of their own, and '#' is the last";
}

}  // namespace

// What stands behind the key, `topic` or `pattern`.
std::string Acl::take_right(std::string_view key, std::string_view rest, Right& right,
                            std::string_view& topic) {
  const std::string_view first = take_word(rest);
  topic = trim(rest);
  right.grants = bit(Access::read) | bit(Access::write);
  if (first.empty()) return "there is no topic: write for instance 'topic read news/#'";
  const auto* const word = std::ranges::find(access_words, first, &AccessWord::word);
  const bool is_right = word != std::end(access_words);
  if (topic.empty() && !is_right) {
    topic = first;
    return {};
  }
  if (topic.empty()) {
    // mosquitto takes the word for the topic: a `deny` without its topic would grant something.
    const std::string begin = std::string{key} + " ", named{first};
    return "there is no topic behind " + in_quotes(named) + ": write for instance " +
           in_quotes(begin + named + " news/#") + "; for a topic of that name " +
           in_quotes(begin + "readwrite " + named);
  }
  if (!is_right) {
    return in_quotes(first) +
           " is none of read, write, readwrite and deny; a topic with blanks needs one of them "
           "in front";
  }
  right.grants = word->grants;
  return {};
}

std::string Acl::add_topic(const Right& right, std::string_view topic, std::vector<Rule>& rules) {
  std::string fault = fault_of_filter(topic, Bytes{topic});
  if (!fault.empty()) return fault;
  const auto meant = PolicyPattern::parse(topic);  // %c and what is no variable is text, as ever.
  if (meant && topic.find("${") != std::string_view::npos) {
    return in_quotes(topic) +
           " has a variable, which is filled in for 'pattern' only: write that instead of 'topic'";
  }
  if (mqtt::is_shared(topic)) return {};  // No message has such a topic: the rule says nothing.
  rules.push_back({right, Bytes{topic}});
  return {};
}

std::string Acl::add_pattern(const Right& right, std::string_view topic) {
  auto pattern = PolicyPattern::parse(topic);
  if (!pattern) return pattern.error().text;
  std::string fault = fault_of_filter(topic, pattern->shape());
  if (!fault.empty()) return fault;
  if (mqtt::is_shared(pattern->shape())) return {};
  for (PolicyVariable& each : pattern->variables()) {
    const bool is_new = std::ranges::find(variables_, each) == variables_.end();
    if (is_new && !each.is_name()) variables_.push_back(std::move(each));
  }
  patterns_.push_back({right, std::move(*pattern)});
  return {};
}

// section: of the line, and of those below it.
std::string Acl::add_line(std::string_view line, unsigned number, std::size_t& section) {
  if (line.starts_with('#') || trim(line).empty()) return {};
  std::string_view rest = line;
  const std::string_view key = take_word(rest);
  if (key == "topic" || key == "pattern") {
    Right right{0, number};
    std::string_view topic;
    std::string fault = take_right(key, rest, right, topic);
    if (!fault.empty()) return fault;
    return key == "pattern" ? add_pattern(right, topic)
                            : add_topic(right, topic, sections_[section]);
  }
  if (key != "user") {
    return in_quotes(key) +
           " begins no rule: expected user, topic or pattern and a blank behind it; a comment "
           "starts in the first column";
  }
  const std::string_view user = trim(rest);
  if (user.empty()) return "there is no name behind 'user'";
  section = users_.try_emplace(Bytes{user}, sections_.size()).first->second;
  if (section == sections_.size()) sections_.emplace_back();
  return {};
}

Result<Acl> Acl::parse(std::string_view text, const std::string& name) {
  Acl acl;
  acl.name_ = name;
  std::size_t section = anonymous;
  const std::string faults = faults_of_lines(
      text, name,
      [&](std::string_view line, unsigned number) { return acl.add_line(line, number, section); });
  if (!faults.empty()) return Error{Errc::invalid, faults};
  const auto denies = [](const Right& right) { return right.grants == 0; };
  for (std::vector<Rule>& rules : acl.sections_) {
    std::stable_partition(rules.begin(), rules.end(), denies);
  }
  std::stable_partition(acl.patterns_.begin(), acl.patterns_.end(), denies);
  return acl;
}

// ---- checks ------------------------------------------------------------------------------------

const std::vector<Acl::Rule>& Acl::rules_of(BytesView user) const {
  static const std::vector<Rule> none;
  if (user.empty()) return sections_[anonymous];
  const auto found = users_.find(user);
  return found == users_.end() ? none : sections_[found->second];
}

// denies(filter) and grants(filter) say whether a rule with this filter speaks of what is asked.
template <class Denies, class Grants>
AclVerdict Acl::decide(const AclSubject& subject, Access access, const Denies& denies,
                       const Grants& grants) const {
  const auto decides = [&](const Right& right, BytesView filter) {
    if (right.grants == 0) return denies(filter);
    return (right.grants & bit(access)) != 0 && grants(filter);
  };
  for (const Rule& rule : rules_of(subject.user)) {
    if (decides(rule, rule.filter)) return {rule.grants != 0, rule.line};
  }
  // A wildcard in a name could widen any pattern it stands in.
  const char* const odd_name = patterns_.empty() ? nullptr : odd_name_of(subject);
  if (odd_name != nullptr) {
    AclVerdict verdict{false, patterns_.front().line};
    verdict.odd_name = odd_name;
    return verdict;
  }
  bool is_short = false;
  for (const Pattern& pattern : patterns_) {
    const PolicyPattern::Filled filled = pattern.filter.fill(subject);
    const bool grants_nothing = filled.moves != nullptr && pattern.grants != 0;
    is_short |= filled.lacks != nullptr || grants_nothing;
    if (filled.lacks != nullptr || grants_nothing) continue;
    if (decides(pattern, filled.filter)) return {pattern.grants != 0, pattern.line};
  }
  return is_short ? find_shortage(subject, access, grants) : AclVerdict{};
}

// Of what no rule grants.
template <class Grants>
AclVerdict Acl::find_shortage(const AclSubject& subject, Access access,
                              const Grants& grants) const {
  for (const Pattern& pattern : patterns_) {
    if ((pattern.grants & bit(access)) == 0) continue;
    const PolicyPattern::Filled filled = pattern.filter.fill(subject);
    const PolicyVariable* const cause = filled.lacks != nullptr ? filled.lacks : filled.moves;
    if (cause == nullptr || !grants(filled.filter)) continue;
    return {false, 0, cause, !value_of(*cause, subject).empty(), pattern.line};
  }
  return {};
}

AclVerdict Acl::check(const AclSubject& subject, Access access, BytesView topic) const {
  const auto matches = [&](BytesView filter) { return mqtt::filter_matches(filter, topic); };
  return decide(subject, access, matches, matches);
}

AclVerdict Acl::check_filter(const AclSubject& subject, BytesView filter) const {
  if (const auto shared = mqtt::parse_shared(filter)) filter = shared->filter;
  return decide(
      subject, Access::read, [&](BytesView denied) { return mqtt::filter_covers(denied, filter); },
      [&](BytesView granted) { return mqtt::filters_overlap(granted, filter); });
}

bool Acl::could_grant(const AclSubject& subject, Access access, BytesView topic) const {
  const AclVerdict verdict = check(subject, access, topic);
  if (verdict.allowed || verdict.line != 0) return verdict.allowed;
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
    if ((pattern.grants & bit(access)) == 0) return false;
    const PolicyPattern::Filled filled = pattern.filter.fill(subject);
    return filled.lacks != nullptr && !filled.lacks->is_name() &&
           mqtt::filter_matches(filled.filter, topic);
  });
}

std::string Acl::explain(const AclVerdict& verdict) const {
  if (verdict.odd_name != nullptr) {
    const std::string name = verdict.odd_name;
    return name_ + ": the " + name + " has '+' or '#' in it and may not stand in a topic, so the " +
           "patterns deny what no line of its own user grants: choose another " + name;
  }
  if (verdict.line != 0) return name_ + ":" + std::to_string(verdict.line);
  const std::string text = "no rule of " + name_ + " grants it";
  if (verdict.short_of == nullptr) return text;
  const Bytes variable = to_string(*verdict.short_of);
  return text + "; line " + std::to_string(verdict.short_line) + " would: " +
         (verdict.has_value ? "the value of " + variable + " may not stand in a topic"
                            : "no value for " + variable);
}

}  // namespace naru::broker

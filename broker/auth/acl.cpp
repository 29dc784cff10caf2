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
bool has_level_end(BytesView name) { return name.find('/') != BytesView::npos; }

Bytes fill_in(BytesView pattern, const AclSubject& subject) {
  Bytes filter;
  while (!pattern.empty()) {
    const std::size_t percent = std::min(pattern.find('%'), pattern.size());
    filter.append(pattern.substr(0, percent));
    pattern.remove_prefix(percent);
    const BytesView two = pattern.substr(0, 2);
    if (two == "%c" || two == "%u") {
      filter.append(two == "%c" ? subject.client_id : subject.user);
      pattern.remove_prefix(2);
    } else if (!pattern.empty()) {
      filter.push_back('%');
      pattern.remove_prefix(1);
    }
  }
  return filter;
}

}  // namespace

std::string Acl::add_rule(std::string_view rest, unsigned number, std::vector<Rule>& rules) {
  const std::string_view first = take_word(rest);
  std::string_view topic = trim(rest);
  Rule rule{{}, bit(Access::read) | bit(Access::write), number};
  if (first.empty()) return "there is no topic: write for instance 'topic read news/#'";
  if (topic.empty()) {
    topic = first;
  } else {
    const auto* const word = std::ranges::find(access_words, first, &AccessWord::word);
    if (word == std::end(access_words)) {
      return in_quotes(first) +
             " is none of read, write, readwrite and deny; a topic with blanks needs one of them "
             "in front";
    }
    rule.grants = word->grants;
  }
  if (topic.size() > limits::topic_bytes || !mqtt::valid_filter(topic)) {
    return in_quotes(topic) +
           " is no filter of MQTT: '+' and '#' are levels of their own, and '#' is the last";
  }
  if (mqtt::is_shared(topic)) return {};  // No message has such a topic: the rule says nothing.
  rule.filter = topic;
  rules.push_back(std::move(rule));
  return {};
}

// section: of the line, and of those below it.
std::string Acl::add_line(std::string_view line, unsigned number, std::size_t& section) {
  if (line.starts_with('#') || trim(line).empty()) return {};
  std::string_view rest = line;
  const std::string_view key = take_word(rest);
  if (key == "topic") return add_rule(rest, number, sections_[section]);
  if (key == "pattern") return add_rule(rest, number, patterns_);
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
  const auto denies = [](const Rule& rule) { return rule.grants == 0; };
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
  const auto decides = [&](const Rule& rule, BytesView filter) {
    if (rule.grants == 0) return denies(filter);
    return (rule.grants & bit(access)) != 0 && grants(filter);
  };
  for (const Rule& rule : rules_of(subject.user)) {
    if (decides(rule, rule.filter)) return {rule.grants != 0, rule.line};
  }
  for (const Rule& rule : patterns_) {
    const bool takes_user = rule.filter.find("%u") != Bytes::npos;
    const bool takes_client = rule.filter.find("%c") != Bytes::npos;
    // A wildcard in a name could widen any pattern it stands in; a '/' would move its levels.
    if (has_wildcard(subject.user) || has_wildcard(subject.client_id)) return {false, rule.line};
    if (takes_user && subject.user.empty()) continue;
    const bool moves = (takes_user && has_level_end(subject.user)) ||
                       (takes_client && has_level_end(subject.client_id));
    if (moves && rule.grants != 0) continue;
    if (decides(rule, fill_in(rule.filter, subject))) return {rule.grants != 0, rule.line};
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

std::string Acl::explain(const AclVerdict& verdict) const {
  if (verdict.line == 0) return "no rule of " + name_ + " grants it";
  return name_ + ":" + std::to_string(verdict.line);
}

}  // namespace naru::broker

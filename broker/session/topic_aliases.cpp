#include "broker/session/topic_aliases.hpp"

namespace naru::broker {

using mqtt::ReasonCode;

ReasonCode TopicAliases::resolve(std::uint16_t alias, BytesView& topic) {
  if (alias == 0 || alias > ours_) return ReasonCode::topic_alias_invalid;
  if (topic.empty()) {
    if (alias > received_.size() || received_[alias - 1u].empty()) {
      return ReasonCode::protocol_error;
    }
    topic = received_[alias - 1u];
    return ReasonCode::success;
  }
  if (alias > received_.size()) received_.resize(alias);
  received_[alias - 1u].assign(topic);
  return ReasonCode::success;
}

TopicAliases::Choice TopicAliases::choose(BytesView topic) const {
  const auto at = sent_.find(topic);
  if (at != sent_.end()) return {at->second, true};
  if (sent_.size() >= theirs_) return {};
  return {static_cast<std::uint16_t>(sent_.size() + 1), false};
}

void TopicAliases::sent(BytesView topic, const Choice& choice) {
  if (choice.alias != 0 && !choice.known) sent_.emplace(topic, choice.alias);
}

}  // namespace naru::broker

#include "broker/session/topic_aliases.hpp"

namespace naru::broker {

using mqtt::ReasonCode;

TopicAliases::Known& TopicAliases::known() {
  if (!known_) known_ = std::make_unique<Known>();
  return *known_;
}

ReasonCode TopicAliases::resolve(std::uint16_t alias, BytesView& topic) {
  if (alias == 0 || alias > ours_) return ReasonCode::topic_alias_invalid;
  std::vector<Bytes>& received = known().received;
  if (topic.empty()) {
    if (alias > received.size() || received[alias - 1u].empty()) {
      return ReasonCode::protocol_error;
    }
    topic = received[alias - 1u];
    return ReasonCode::success;
  }
  if (alias > received.size()) received.resize(alias);
  received[alias - 1u].assign(topic);
  return ReasonCode::success;
}

TopicAliases::Choice TopicAliases::choose(BytesView topic) const {
  if (theirs_ == 0) return {};
  if (!known_) return {1, false};
  const auto& sent = known_->sent;
  const auto at = sent.find(topic);
  if (at != sent.end()) return {at->second, true};
  if (sent.size() >= theirs_) return {};
  return {static_cast<std::uint16_t>(sent.size() + 1), false};
}

void TopicAliases::sent(BytesView topic, const Choice& choice) {
  if (choice.alias != 0 && !choice.known) known().sent.emplace(topic, choice.alias);
}

}  // namespace naru::broker

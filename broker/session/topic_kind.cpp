#include "broker/session/topic_kind.hpp"

namespace naru::broker {

namespace {

// What a bridge tells of itself, where mosquitto's bridges do: up or down.
bool is_own_state(BytesView topic, const TopicAsker& who) {
  static constexpr BytesView prefix = "$SYS/broker/connection/", suffix = "/state";
  if (!topic.starts_with(prefix) || !topic.ends_with(suffix)) return false;
  if (who.own_bridge) return true;
  topic.remove_prefix(prefix.size());
  return topic.size() == who.client_id.size() + suffix.size() && topic.starts_with(who.client_id);
}

}  // namespace

TopicKind topic_kind(BytesView topic, BytesView prefix, const TopicAsker& who,
                     BytesView& command_id) {
  if (topic.starts_with("$SYS/")) {
    return is_own_state(topic, who) ? TopicKind::ordinary : TopicKind::forbidden;
  }
  if (!topic.starts_with(prefix) || topic.size() <= prefix.size() || topic[prefix.size()] != '/') {
    return TopicKind::ordinary;
  }
  topic.remove_prefix(prefix.size() + 1);
  const std::size_t slash = topic.find('/');
  if (slash == BytesView::npos) return TopicKind::ordinary;
  const BytesView device = topic.substr(0, slash);
  topic.remove_prefix(slash + 1);
  static constexpr BytesView commands = "commands/";
  if (!topic.starts_with(commands)) return TopicKind::ordinary;
  topic.remove_prefix(commands.size());
  static constexpr BytesView reply = "/reply";
  if (!topic.ends_with(reply) || device != who.client_id) return TopicKind::forbidden;
  command_id = topic.substr(0, topic.size() - reply.size());
  const bool one_level = !command_id.empty() && command_id.find('/') == BytesView::npos;
  return one_level ? TopicKind::reply : TopicKind::forbidden;
}

}  // namespace naru::broker

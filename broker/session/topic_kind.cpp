#include "broker/session/topic_kind.hpp"

namespace naru::broker {

TopicKind topic_kind(BytesView topic, BytesView prefix, BytesView client_id,
                     BytesView& command_id) {
  if (topic.starts_with("$SYS/")) return TopicKind::forbidden;
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
  if (!topic.ends_with(reply) || device != client_id) return TopicKind::forbidden;
  command_id = topic.substr(0, topic.size() - reply.size());
  const bool one_level = !command_id.empty() && command_id.find('/') == BytesView::npos;
  return one_level ? TopicKind::reply : TopicKind::forbidden;
}

}  // namespace naru::broker

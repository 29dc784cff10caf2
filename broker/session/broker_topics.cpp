#include "broker/session/broker_topics.hpp"

namespace naru::broker {

using storage::MessageRef;

MessageRef BrokerTopics::change(const BrokerTopic& news, storage::Origin origin, WallMillis now) {
  const RetainedMessage* const old = topics_.find(news.topic);
  if (old != nullptr && old->message->view().payload == news.value) return nullptr;
  storage::MessageView view;
  view.origin = origin;
  view.stamp.received_at = now;
  view.topic = news.topic;
  view.payload = news.value;
  MessageRef message = storage::Message::make(view);
  topics_.put(news.topic, {++versions_, message});
  return message;
}

hop::RetainedFound BrokerTopics::answer(const hop::RetainedQuery& query) const {
  hop::RetainedFound found{query.connection, query.lane, query.session, {}, {}, {}};
  for (const storage::FilterRow& row : query.filters) {
    topics_.match(row.filter, 0, [&](const MessageRef& message) {
      found.messages.emplace_back(message);
      found.options.push_back(row.options);
      found.subscription_ids.push_back(row.subscription_id);
    });
  }
  return found;
}

}  // namespace naru::broker

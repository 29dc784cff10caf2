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

// All in one step: they are few, and never expire.
hop::RetainedFound BrokerTopics::answer(const hop::RetainedQuery& query) const {
  constexpr std::size_t all = ~std::size_t{0};
  return find_retained(topics_, query, 0, {all, versions_, all, all});
}

}  // namespace naru::broker

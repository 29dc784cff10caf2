// broker/session/broker_topics.hpp
//
// BrokerTopics holds the last value of each topic on which the broker itself tells how it is
// ($SYS/...), for clients that subscribe later. It is not on disk: after a start nothing of it
// is true any more.
//
// Sans-IO. Lives on shard 0; not thread-safe. Owned by ShardCore, by value.
// Bounded by: the topics that broker/http/sys_topics.cpp knows.
#pragma once

#include "broker/session/retained_asker.hpp"

namespace naru::broker {

struct BrokerTopic {
  Bytes topic;
  Bytes value;
};

class BrokerTopics {
 public:
  // What a subscriber gets to hear now; nothing where the value is the old one.
  storage::MessageRef change(const BrokerTopic& news, storage::Origin origin, WallMillis now);
  // What a new subscriber is told at once.
  hop::RetainedFound answer(const hop::RetainedQuery& query) const;

 private:
  RetainedIndex topics_;
  std::uint64_t versions_ = 0;
};

}  // namespace naru::broker

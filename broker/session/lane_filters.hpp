// broker/session/lane_filters.hpp
//
// LaneFilters keeps the filters of lasting sessions. One record of a session's filters is on its
// way at a time: what a client asks next is decided when it has come back, on committed filters,
// and answered behind it.
//
// Sans-IO. Lives on one shard. Owned by LaneParts. Bounded by max_client_subscriptions, and by what
// a front lets one connection ask before it is answered.
#pragma once

#include "broker/session/lane_context.hpp"

namespace naru::broker {

class LaneQueues;

class LaneFilters {
 public:
  LaneFilters(LaneContext& context, LaneQueues& queues) : context_(context), queues_(queues) {}

  void on(hop::Subscribe& subscribe);
  void on(hop::Unsubscribe& unsubscribe);
  // What waits for the record before it.
  void go_on(LaneState& lane, Session& session);
  // The record is committed, or has failed.
  void settled(LaneState& lane, SessionNumber number);

 private:
  void subscribe(LaneState& lane, Session& session, hop::Subscribe& subscribe);
  void unsubscribe(LaneState& lane, Session& session, hop::Unsubscribe& unsubscribe);

  LaneContext& context_;
  LaneQueues& queues_;
};

}  // namespace naru::broker

// broker/session/hop.hpp
//
// What fronts and lanes say to one another. Every hop is a value that can be encoded; on the same
// shard it is handed over in a queue, between shards in a mailbox, and under `front_hop encode`
// always as bytes, so that nothing can come to rely on a shared pointer.
//
// Sans-IO values. Made by one shard, consumed by one shard, in order per pair of shards.
//
//   front -> lane: Attach Detach Subscribe Unsubscribe PublishTo QueueAck Receive Release
//                  StreamAppend RetainedPut RetainedQuery CommandOffer CommandAcked CommandReply
//                  PublishLater
//   lane -> front: Attached Evict Subscribed Unsubscribed QueueDeliver QueueRelease Received
//                  Completed Committed Refused RetainedFound RetainedRest FencePassed
//                  CommandDeliver
//   shard -> shard: OriginForget RouteFence
//   groups:        GroupMember GroupAnswer to the lane of a group; GroupJoined GroupLend GroupTaken
#pragma once

#include <variant>

#include "broker/session/hops_of_delayed.hpp"
#include "broker/session/hops_of_groups.hpp"
#include "broker/session/hops_of_retained.hpp"
#include "broker/session/hops_to_front.hpp"
#include "broker/session/hops_to_lane.hpp"

namespace naru::broker {

// The tag of a hop between nodes is its place here. Append only.
using Hop = std::variant<
    hop::Attach, hop::Detach, hop::Subscribe, hop::Unsubscribe, hop::PublishTo, hop::QueueAck,
    hop::Receive, hop::Release, hop::StreamAppend, hop::RetainedPut, hop::RetainedQuery,
    hop::CommandOffer, hop::CommandAcked, hop::CommandReply, hop::Attached, hop::Evict,
    hop::Subscribed, hop::Unsubscribed, hop::QueueDeliver, hop::QueueRelease, hop::Received,
    hop::Completed, hop::Committed, hop::RetainedFound, hop::CommandDeliver, hop::OriginForget,
    hop::RouteFence, hop::FencePassed, hop::GroupMember, hop::GroupJoined, hop::GroupLend,
    hop::GroupAnswer, hop::GroupTaken, hop::PublishLater, hop::Refused, hop::RetainedRest>;

}  // namespace naru::broker

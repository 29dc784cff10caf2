// broker/session/lane_parts.hpp
//
// LaneParts puts the parts of a shard's lane leadership side by side, so that each can ask the
// others. Every part owns what it alone changes; LaneContext is what they share.
//
// Sans-IO. Lives on one shard. Owned by LaneShard, which gives every hop to the part it is for.
#pragma once

#include "broker/session/lane_clients.hpp"
#include "broker/session/lane_commands.hpp"
#include "broker/session/lane_filters.hpp"
#include "broker/session/lane_groups.hpp"
#include "broker/session/lane_origins.hpp"
#include "broker/session/lane_outboxes.hpp"
#include "broker/session/lane_queues.hpp"
#include "broker/session/lane_retained.hpp"
#include "broker/session/lane_streams.hpp"

namespace naru::broker {

struct LaneParts {
  LaneParts(LaneContext& context, Publisher& publisher)
      : origins(context),
        retained(context),
        streams(context, origins),
        queues(context, *this),
        filters(context, queues),
        groups(context, *this),
        outboxes(context, *this, publisher),
        commands(context, *this, publisher),
        clients(context, *this, publisher) {}

  LaneOrigins origins;
  LaneRetained retained;
  LaneStreams streams;
  LaneQueues queues;
  LaneFilters filters;
  LaneGroups groups;
  LaneOutboxes outboxes;
  LaneCommands commands;
  LaneClients clients;
};

}  // namespace naru::broker

// broker/session/hops_of_retained.hpp
//
// How retained messages come to who has subscribed: in steps. See broker/session/hop.hpp.
//
// Sans-IO values; all can be encoded. Frozen like records: they go from node to node.
#pragma once

#include "broker/session/hop_values.hpp"

namespace naru::broker::hop {

struct RetainedQuery {
  ConnectionId connection = 0;
  LaneId lane = 0;
  SessionNumber session = 0;
  std::vector<storage::FilterRow> filters;
  Bytes after;              // What the first of them matches up to this topic was found before.
  std::uint64_t until = 0;  // Newer versions came to the subscriber by themselves; 0: a first step.
  template <class Archive>
  void fields(Archive& a) {
    a(connection, lane, session, filters, after, until);
  }
};
// Where the walk goes on: the query of the next step, to be asked of that shard. Of no filters: it
// has come to its end. Also a hop of its own: the front of the connection asks when it has room.
struct RetainedRest {
  std::uint16_t shard = 0;
  RetainedQuery query;
  template <class Archive>
  void fields(Archive& a) {
    a(shard, query);
  }
};
struct RetainedFound {
  ConnectionId connection = 0;
  LaneId lane = 0;
  SessionNumber session = 0;
  std::vector<Carried> messages;
  std::vector<std::uint8_t> options;  // Granted QoS of each; which filter found it does not matter.
  std::vector<std::uint32_t> subscription_ids;
  RetainedRest rest;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, lane, session, messages, options, subscription_ids, rest);
  }
};

}  // namespace naru::broker::hop

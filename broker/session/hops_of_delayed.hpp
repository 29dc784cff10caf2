// broker/session/hops_of_delayed.hpp
//
// What fronts and lanes say to one another about publishes that are not to go out before their
// time. See broker/session/hop.hpp.
//
// Sans-IO values; all can be encoded. Frozen like records: they go from node to node.
#pragma once

#include "broker/session/hop_values.hpp"

namespace naru::broker::hop {

struct PublishLater {  // Into its sender's lane, which publishes it when it is due.
  LaneId lane = 0;
  ConnectionId connection = 0;
  SessionNumber session = 0;
  std::uint16_t packet_id = 0;  // QoS 2 of a persistent session, before its PUBREL; else 0.
  StoreMillis due_at = 0;
  Carried message;
  ReplyTo reply;
  template <class Archive>
  void fields(Archive& a) {
    a(lane, connection, session, packet_id, due_at, message, reply);
  }
};
struct Refused {  // In place of Committed: a limit of the operator, which is this publish's alone.
  std::uint64_t number = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(number);
  }
};

}  // namespace naru::broker::hop

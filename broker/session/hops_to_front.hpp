// broker/session/hops_to_front.hpp
//
// What lanes say to fronts. See broker/session/hop.hpp.
//
// Sans-IO values; all can be encoded. Frozen like records: they go from node to node.
#pragma once

#include "broker/session/hop_values.hpp"

namespace naru::broker::hop {

enum class AttachResult : std::uint8_t { accepted, wrong_identity, no_space };
struct Attached {
  ConnectionId connection = 0;
  AttachResult result = AttachResult::accepted;
  bool session_present = false;
  SessionNumber session = 0;
  std::uint64_t epoch = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, result, session_present, session, epoch);
  }
};
struct Evict {
  ConnectionId connection = 0;
  std::uint8_t reason = 0x8e;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, reason);
  }
};
struct Subscribed {
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  Bytes codes;
  std::vector<storage::FilterRow> retained_for;  // Filters whose retained messages are wanted.
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, codes, retained_for);
  }
};
struct Unsubscribed {
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  Bytes codes;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, codes);
  }
};
struct QueueDeliver {
  ConnectionId connection = 0;
  std::uint64_t epoch = 0;
  std::uint16_t packet_id = 0;  // 0: QoS 0, at once, from no queue.
  std::uint8_t options = 0;
  bool dup = false;
  Carried message;
  std::vector<std::uint32_t> subscription_ids;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, epoch, packet_id, options, dup, message, subscription_ids);
  }
};
struct QueueRelease {  // PUBREL to the subscriber.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id);
  }
};
struct Received {  // PUBREC may go out.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  bool failed = false;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, failed);
  }
};
struct Completed {  // PUBCOMP may go out.
  ConnectionId connection = 0;
  std::uint16_t packet_id = 0;
  bool known = true;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, packet_id, known);
  }
};
struct Committed {
  std::uint64_t number = 0;
  std::uint64_t failure = 0;  // Its number in failed_publishes.hpp; 0: it is on disk.
  PublisherId publisher;
  std::uint16_t by = 0;  // The lanes' shard.
  template <class Archive>
  void fields(Archive& a) {
    a(number, failure, publisher, by);
  }
};
struct RouteFence {  // From shard to shard: FencePassed is to follow all it has matched so far.
  std::uint16_t shard = 0;
  std::uint64_t ticket = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(shard, ticket);
  }
};
struct FencePassed {  // What that shard matched before the fence is on its way.
  std::uint64_t ticket = 0;
  template <class Archive>
  void fields(Archive& a) {
    a(ticket);
  }
};
struct CommandDeliver {  // To a clean session that is connected; goes out if it subscribed.
  ConnectionId connection = 0;
  Bytes id;
  Carried message;
  template <class Archive>
  void fields(Archive& a) {
    a(connection, id, message);
  }
};

}  // namespace naru::broker::hop

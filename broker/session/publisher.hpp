// broker/session/publisher.hpp
//
// Publisher takes one publish to everybody who wants it: it matches the topic once, hands the
// message to connected clean sessions of its own shard, sends one hop to each other shard, one to
// each rule's stream and one for the retained copy, and counts what has to be committed before
// the publish is done.
//
// Sans-IO. Lives on the shard; not thread-safe. Owned by ShardCore; the route table, the rules
// and the output must outlive it.
// Bounded by: the publishes that wait for a commit, which back-pressure bounds.
#pragma once

#include <deque>
#include <optional>

#include "broker/auth/gate.hpp"
#include "broker/routing/route_table.hpp"
#include "broker/session/failed_publishes.hpp"
#include "broker/session/shard_output.hpp"
#include "broker/stream/rule.hpp"

namespace naru::broker {

// Who is told when a publish is done.
struct Waiter {
  enum class Kind : std::uint8_t {
    nobody,
    connection,  // owner: ConnectionId, place: in its ring of acknowledgements
    completion,  // owner: ConnectionId, place: the packet id whose PUBCOMP waits
    outbox,      // owner: the outbox id, place: its lane
  };
  Kind kind = Kind::nobody;
  std::uint64_t owner = 0;
  std::uint64_t place = 0;
};

// A connection takes a message that is not stored for it. `kept` is filled when somebody has to
// keep the message, and then shared by all.
class LiveSink {
 public:
  virtual ~LiveSink() = default;
  virtual void deliver(ConnectionId connection, const storage::MessageView& view,
                       storage::MessageRef& kept, std::uint8_t options,
                       const std::vector<std::uint32_t>& subscription_ids) = 0;
  virtual void on_published(const Waiter& waiter, bool failed) = 0;
};

class Publisher {
 public:
  enum class Attempt : std::uint8_t {
    only,    // There will not be another.
    first,   // It may come again, with the same origin, and lanes count it once.
    repeat,  // Whoever took it at once has it: only what is stored is tried again.
  };
  struct Outcome {
    bool matched = false;  // Somebody wants it.
    bool waits = false;    // on_published() will follow; false: done already.
  };

  Publisher(const ShardSettings& settings, const RouteTable& routes, const RuleSet& rules,
            ShardOutput& output, ShardCounters& counters);

  // `kept` is the message where the caller has it already. from: the publisher's own route row,
  // for no-local.
  Outcome publish(const storage::MessageView& view, storage::MessageRef kept, const Route& from,
                  Attempt attempt, const Waiter& waiter, LiveSink& live);
  // Into its sender's lane, which publishes it when it is due. A waiter hears when it is there.
  void publish_later(hop::PublishLater later, const Waiter& waiter);
  // What the next publish also says of a command; it is done when that is on disk, too.
  void add_command_reply(hop::CommandReply reply) { command_reply_ = std::move(reply); }
  bool is_wanted(BytesView topic);  // By anybody.
  // Whether a publish of this topic would be stored for anybody.
  bool has_durable_target(const storage::MessageView& view);

  // Wills are published by lanes: whether their clients still may; a refusal is counted. Before
  // use_gate() everybody may.
  void use_gate(const Gate& gate) { gate_ = &gate; }
  bool admits_will(const AclSubject& subject, BytesView topic);

  void on(const hop::Committed& committed, LiveSink& live);
  void on(const hop::Refused& refused, LiveSink& live);

  storage::Origin next_origin() {
    return {settings_.node, settings_.incarnation, settings_.shard, ++origins_};
  }
  std::size_t open() const { return open_.size(); }

 private:
  struct Open {
    Waiter waiter;
    std::uint32_t parts = 0;
    std::vector<std::uint16_t> failed_by;  // Shards, one for each part.
    PublisherId publisher;                 // Where one has failed.
    bool refused = false;
  };

  Open* find_open(std::uint64_t number);
  void settle(Open& open, LiveSink& live);  // One part of it.
  void merge_owners();
  void sort_out(const storage::MessageView& view, storage::MessageRef& kept, const Route& from,
                Attempt attempt, LiveSink& live);
  void add_target(const storage::MessageView& view, const Route& route, std::uint8_t options);
  std::uint32_t send(const storage::MessageView& view, const storage::MessageRef& kept, bool once,
                     ReplyTo reply);
  std::uint16_t shard_of_topic(BytesView topic) const;

  const ShardSettings& settings_;
  const RouteTable& routes_;
  const RuleSet& rules_;
  ShardOutput& output_;
  ShardCounters& counters_;
  const Gate* gate_ = nullptr;

  Matches matches_;
  std::vector<std::vector<std::uint32_t>> merged_ids_;  // By place in matches_, where merged.
  std::vector<std::vector<Delivery>> targets_;          // By shard.
  std::vector<bool> durable_;                           // By shard: its hop has to be committed.
  std::vector<std::size_t> rule_hits_;
  std::optional<hop::CommandReply> command_reply_;
  std::deque<Open> open_;  // open_[0] has number base_.
  std::uint64_t base_ = 1;
  std::uint64_t origins_ = 0;
  HeardFailures heard_;
};

}  // namespace naru::broker

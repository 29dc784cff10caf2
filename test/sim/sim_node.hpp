// test/sim/sim_node.hpp
//
// SimNode is one run of a broker's process: the real cores of its shards between a model of the
// committer and a model of the sockets. It is thrown away at a crash; the disk stays.
//
// Sans-IO: bytes, time and randomness go in. Lives on one thread. Owned by Simulation or a test;
// the disk must outlive it. Bounded by its clients.
//
// A turn of a shard is what broker/net/shard.cpp makes of it: mail, input, end of turn, and what
// the core asks for, in the order ShardOutput promises.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "broker/routing/filter_index.hpp"
#include "broker/session/recovery.hpp"
#include "broker/session/shard_core.hpp"
#include "storage/tables/horizon.hpp"
#include "test/sim/model_committer.hpp"

namespace naru::test {

using LinkId = std::uint64_t;

struct SimNodeOptions {
  broker::ShardSettings settings;  // node, incarnation, shard and shards are filled in.
  std::uint16_t shards = 2;
  bool encode_hops = false;
  broker::RuleSet rules;
};

class SimNode {
 public:
  SimNode(storage::FaultKv& disk, SimNodeOptions options, Rng rng);

  // Reads the disk and takes up what the last run left.
  void start(Instant now);

  // ---- sockets ----
  void open(LinkId link, Instant now);
  void input(LinkId link, Bytes bytes);  // Into the kernel's buffer; read in the shard's turn.
  void hang_up(LinkId link);             // Behind what was put in.
  // At most so many bytes of what is to be sent.
  Bytes take_output(LinkId link, std::size_t most);
  // The broker ended it, and everything was taken. in_good_order: it had read all there was.
  struct Ending {
    bool ended = false;
    bool in_good_order = false;
  };
  Ending ending_of(LinkId link);

  // ---- running ----
  void turn(std::uint16_t shard, Instant now);
  void set_room(bool room);  // What looking at the disk says.
  void step_committer(Instant now, Duration sync_time);
  // Drops what nobody needs from the journal, as the store does when it writes files.
  std::size_t drop_journal();
  bool idle() const;
  // The process dies. by_lanes: every lane keeps a prefix of its own of what was under way.
  void crash(bool by_lanes);
  // The same by lanes. Returns the records that are on disk though nobody was told, in the order
  // of their lanes. REQUIRES: nothing of this node but its parts is used afterwards.
  std::vector<storage::Record> die_by_lanes();
  // Requests of the API that were answered since the last call.
  std::vector<broker::Answered> take_answered() { return std::exchange(answered_, {}); }

  broker::ShardCore& shard(std::uint16_t number) { return *shards_[number]; }
  std::uint16_t shards() const { return options_.shards; }
  broker::LaneShard& home_of(broker::LaneId lane) {
    return shards_[lane % options_.shards]->lanes();
  }
  const broker::Recovered& recovered() const { return recovered_; }
  // A copy of the lane made from its records alone, each encoded, decoded and applied twice.
  const broker::LaneState& follower_of(broker::LaneId lane) const { return followers_[lane]; }
  std::uint64_t turns() const { return turns_; }
  // The node's times. The virtual clock goes on while it is down, and everybody knows.
  static StoreMillis store_now(Instant now);
  static WallMillis wall_now(Instant now);

 private:
  struct Socket {
    LinkId link = 0;
    Bytes unread;
    Bytes arrived;  // Not read yet.
    bool hung_up = false;
    bool closing = false;
    bool fed = false;  // Read from in this turn.
    bool in_good_order = false;
  };
  struct Box {  // A shard's mail.
    std::vector<storage::CommitOutcome> outcomes;
    std::vector<broker::Hop> hops;
    std::vector<std::pair<LinkId, Bytes>> handed;
    std::vector<broker::Fetch> fetches;
  };
  using Sockets = std::map<broker::ConnectionId, Socket>;

  void follow(const storage::Record& record);
  void adopt(std::uint16_t shard, LinkId link, Bytes unread);
  void feed(std::uint16_t shard, broker::ConnectionId id, Socket& socket, BytesView fresh);
  void take_mail(std::uint16_t shard);
  void read_sockets(std::uint16_t shard);
  bool carry_out(std::uint16_t shard);
  void change_horizon(const std::vector<broker::HorizonChange>& changes);
  void fetch(std::uint16_t shard, broker::Fetch& wanted);
  void drop(std::uint16_t shard, broker::ConnectionId id);

  storage::FaultKv& disk_;
  SimNodeOptions options_;
  Rng rng_;
  storage::Horizon horizon_;
  broker::FilterIndex routes_;
  broker::OpenGate gate_;
  std::vector<std::unique_ptr<broker::ShardCore>> shards_;
  std::vector<broker::LaneState> followers_;  // By lane.
  std::vector<Box> boxes_;
  std::vector<std::uint64_t> submitted_, told_;  // By shard: tickets so far.
  std::vector<broker::Answered> answered_;
  std::vector<Sockets> sockets_;  // By shard.
  std::map<LinkId, std::pair<std::uint16_t, broker::ConnectionId>> links_;
  std::map<LinkId, Ending> endings_;
  std::optional<ModelCommitter> committer_;
  broker::Recovered recovered_;
  std::uint64_t connections_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace naru::test

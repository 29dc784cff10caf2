// test/sim/lane_copy.hpp
//
// What somebody makes of a lane's records who has nothing else: states, and a store of his own.
// A record comes as bytes, the way it will come from another node.
//
// Sans-IO. Lives on one thread. Owned by a test. Bounded by what it is given.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "broker/session/lane_state.hpp"
#include "broker/session/recovery.hpp"
#include "storage/kv/mem_kv.hpp"

namespace naru::test {

// REQUIRES: the bytes are a record.
storage::Record decoded(BytesView record);
// The message a record carries; nullptr where it carries none.
storage::MessageRef message_of(const storage::Record& record);

// The states of all lanes.
class StateCopy {
 public:
  StateCopy();
  void apply(BytesView record);
  // A step whose message the broker does not owe any more cannot come again. Whoever reads a store
  // does not find it; whoever applies records knows it until OriginForgotten, which is lost when
  // the process dies first.
  void forget_what_cannot_come_again();
  std::vector<Bytes> digests() const;
  std::vector<broker::LaneState>& lanes() { return lanes_; }

 private:
  std::vector<broker::LaneState> lanes_;
};

// The rows of all lanes, written record by record.
class StoreCopy {
 public:
  void write(BytesView record);
  const storage::MemKv& store() const { return store_; }

 private:
  storage::MemKv store_;
  std::uint64_t next_number_ = 1;
};

// What a start makes of a store.
struct ReadBack {
  std::vector<broker::LaneState> lanes;
  broker::Recovered recovered;
  std::vector<Bytes> digests() const;
};
ReadBack read_back(const storage::KvStore& store);

// The rows that lanes own. Journal numbers are those of the store's own committer, and are left
// out: an outbox says here whether its number leads to its message.
using Rows = std::map<std::pair<storage::Family, Bytes>, Bytes>;
Rows rows_of_lanes(const storage::KvStore& store);

// The journal by lane: each part with its message. One store may keep a message once for
// several lanes, and entries in another order between lanes; in a lane the order is the same.
// Parts that are there again are left out.
using JournalOfLanes = std::map<broker::LaneId, std::vector<Bytes>>;
JournalOfLanes journal_of_lanes(const storage::KvStore& store);

}  // namespace naru::test

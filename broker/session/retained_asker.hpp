// broker/session/retained_asker.hpp
//
// RetainedAsker asks all shards for the retained messages that new filters match, so late that
// none is missed: a publish that was matched before the filter was there has put its retained
// copy in place by then, and any later one finds the filter.
//
//   front --RouteFence--> every other shard --FencePassed--> front --RetainedQuery--> every shard
//
// A shard answers a fence behind everything it has matched (ShardOutput::fences); hops of one
// shard to another arrive in order, so the query comes behind those copies. SUBACK waits for the
// fence: what its client sends after SUBSCRIBE is read after it, and comes once.
//
// A shard answers in steps, each a part of what there is as of the first: what is put later has
// found the filter. The next step is asked for when the subscriber has taken the last; of a clean
// session go_on() says so, of a lasting one its lane asks when the last is on disk; where some of
// that went to the connection with QoS 0, the lane leaves it to go_on() as well.
//
// Sans-IO. Lives on the shard; not thread-safe. Owned by Front. Settings and output must outlive
// it. Bounded by: the SUBSCRIBEs of one round between shards; a next step for each of a connected
// client's and each shard.
#pragma once

#include <optional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/routing/retained_index.hpp"
#include "broker/session/connection.hpp"
#include "broker/session/shard_output.hpp"

namespace naru::broker {

class RetainedAsker {
 public:
  RetainedAsker(const ShardSettings& settings, ShardOutput& output)
      : settings_{settings}, output_{output} {}

  // REQUIRES: the filters are in the route table. No filters: nothing is asked.
  // True: SUBACK may go out; else it has to wait until on() returns it.
  [[nodiscard]] bool ask(hop::RetainedQuery query, const hop::Subscribed& suback);
  std::optional<hop::Subscribed> on(const hop::FencePassed& passed);

  // Keeps the next step, if there is one, until its connection goes on.
  void keep(hop::RetainedRest&& rest);
  // Asks for one next step if the client has taken what there was.
  void go_on(const Connection& c);
  // Asks for no more of one filter.
  void forget(ConnectionId connection, BytesView filter);
  // The connection has ended. A session that outlives it is to have what is to be in its queue.
  void end(ConnectionId connection);
  void go_on_without(hop::RetainedRest&& rest);

 private:
  struct Waiting {
    hop::RetainedQuery query;
    hop::Subscribed suback;
    unsigned shards = 0;  // That have not answered.
  };
  void send(const hop::RetainedQuery& query);

  const ShardSettings& settings_;
  ShardOutput& output_;
  boost::unordered_flat_map<std::uint64_t, Waiting> waiting_;  // By ticket.
  boost::unordered_flat_map<ConnectionId, std::vector<hop::RetainedRest>> rests_;
  std::uint64_t tickets_ = 0;
};

// How much one step may look at and find; it finds one more than fits in the bytes.
struct RetainedStep {
  std::size_t messages;
  std::uint64_t newest;  // The newest version there is.
  std::size_t topics = 4096;
  std::size_t bytes = 64u << 10;
};

// The answer to a query out of one index; which shard gives it is to be added.
hop::RetainedFound find_retained(const RetainedIndex& index, const hop::RetainedQuery& query,
                                 StoreMillis now, RetainedStep step);
// Without the filters that nobody wants any more.
template <class Wanted>
void keep_wanted(hop::RetainedQuery& query, const Wanted& wanted) {
  if (!query.filters.empty() && !wanted(query.filters.front())) query.after.clear();
  std::erase_if(query.filters, [&](const storage::FilterRow& row) { return !wanted(row); });
}

}  // namespace naru::broker

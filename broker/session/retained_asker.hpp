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
// Sans-IO. Lives on the shard; not thread-safe. Owned by Front. Settings and output must outlive
// it. Bounded by: the SUBSCRIBEs of one round between shards.
#pragma once

#include <optional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/routing/retained_index.hpp"
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
  std::uint64_t tickets_ = 0;
};

// The answer to a query out of one index.
hop::RetainedFound find_retained(const RetainedIndex& index, const hop::RetainedQuery& query,
                                 StoreMillis now);

}  // namespace naru::broker

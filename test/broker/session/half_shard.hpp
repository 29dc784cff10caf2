// test/broker/session/half_shard.hpp
//
// HalfShard is the lanes of one shard out of two, by hand: hops go in, commits are answered when a
// test says so, and whoever else there is lives on the other shard, so that every word to it lies
// open in the output.
//
// Sans-IO. Lives for one test, on its thread.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "broker/routing/filter_index.hpp"
#include "broker/session/shard_core.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::test {

// A client id that begins so, and whose lane that shard of two leads.
inline Bytes client_of_shard(std::uint16_t shard, Bytes name) {
  while (cluster::lane_of(name) % 2 != shard) name.push_back('x');
  return name;
}

// The committer's answer to what a shard has handed out; journal counts the entries.
inline std::vector<storage::CommitOutcome> outcomes_of(broker::ShardCore& core,
                                                       std::uint64_t& journal,
                                                       std::optional<Errc> failure) {
  std::vector<storage::CommitOutcome> outcomes;
  for (const storage::CommitUnit& unit : std::exchange(core.output().units, {})) {
    outcomes.push_back({unit.ticket, unit.message && !failure ? ++journal : 0, failure});
  }
  return outcomes;
}

struct HalfShard {
  HalfShard() { core.begin_turn(Instant{}, 1, 1); }

  void take(broker::Hop hop) {
    core.on_hop(hop);
    core.end_turn();
  }
  void commit_once(std::optional<Errc> failure = {}) {
    core.on_committed(outcomes_of(core, journal, failure));
    core.end_turn();
  }
  // Commits what has been handed out, and what follows from that, until nothing more comes.
  void commit(std::optional<Errc> failure = {}) {
    while (!core.output().units.empty()) commit_once(failure);
  }
  // The words of one kind to the other shard so far; all others are forgotten.
  template <class Word>
  std::vector<Word> told() {
    std::vector<Word> words;
    for (broker::Hop& hop : std::exchange(core.output().hops[1], {})) {
      if (auto* const word = std::get_if<Word>(&hop)) words.push_back(std::move(*word));
    }
    return words;
  }

  static broker::ShardSettings half() {
    broker::ShardSettings settings;
    settings.shards = 2;
    return settings;
  }

  broker::FilterIndex routes;
  broker::OpenGate gate;
  broker::RuleSet rules;
  broker::ShardCore core{half(), routes, gate, rules, Rng{1}};
  std::uint64_t journal = 0;
};

}  // namespace naru::test

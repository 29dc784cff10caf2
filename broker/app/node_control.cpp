// Node's part behind the control interface.

#include <algorithm>
#include <cstdio>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "broker/app/backup.hpp"
#include "broker/app/node.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/tables/journal.hpp"

namespace naru::broker {

namespace asio = boost::asio;

std::uint16_t Node::shard_of(BytesView key) const {
  return static_cast<std::uint16_t>(cluster::lane_of(key) % shards_.size());
}

// Starts `begin(done)` and resumes the coroutine on shard 0 when done(value) was called there.
template <class Value, class Begin>
static asio::awaitable<Value> resumed_on_first(asio::io_context& first, Begin begin) {
  auto initiate = [&first, &begin](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    begin([&first, shared](Value value) {
      asio::post(first, [shared, value]() mutable { std::move (*shared)(value); });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Value)>(
      std::move(initiate), asio::use_awaitable);
}

asio::awaitable<void> Node::run(std::uint16_t shard, std::function<void(ShardCore&)> f) {
  Shard* const edge = shards_[shard].get();
  auto begin = [edge, f = std::move(f)](auto done) {
    edge->post([f, done](ShardCore& core) {
      f(core);
      done(true);
    });
  };
  auto wait = resumed_on_first<bool>(shards_[0]->context(), std::move(begin));
  co_await std::move(wait);
}

asio::awaitable<bool> Node::commit(std::uint16_t shard,
                                   std::function<bool(ShardCore&, std::uint64_t)> f) {
  Shard* const edge = shards_[shard].get();
  auto begin = [edge, f = std::move(f)](auto done) {
    edge->post([edge, f, done](ShardCore& core) {
      const std::uint64_t request = edge->expect_answer([done](bool failed) { done(!failed); });
      if (!f(core, request)) edge->answer_now(request);
    });
  };
  auto wait = resumed_on_first<bool>(shards_[0]->context(), std::move(begin));
  co_return co_await std::move(wait);
}

asio::awaitable<void> Node::read(std::function<void(const storage::KvStore&)> f) {
  auto begin = [this, f = std::move(f)](auto done) {
    asio::post(*reader_, [this, f, done] {
      f(*store_.kv);
      done(true);
    });
  };
  auto wait = resumed_on_first<bool>(shards_[0]->context(), std::move(begin));
  co_await std::move(wait);
}

asio::awaitable<ReloadOutcome> Node::reload() {
  auto outcome = std::make_shared<ReloadOutcome>();
  auto begin = [this, outcome](auto done) {
    asio::post(*reader_, [this, outcome, done] {
      *outcome = reload_now();
      done(true);
    });
  };
  auto wait = resumed_on_first<bool>(shards_[0]->context(), std::move(begin));
  co_await std::move(wait);
  // Who is told that it is done may rely on it: every shard has come past it.
  for (std::uint16_t shard = 0; shard < shards(); ++shard) {
    std::function<void(ShardCore&)> nothing = [](ShardCore&) {};
    auto passing = run(shard, std::move(nothing));
    co_await std::move(passing);
  }
  co_return std::move(*outcome);
}

static std::string node_name(std::uint64_t node) {
  char name[17];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(node));
  return name;
}

NodeFacts Node::facts() const {
  NodeFacts facts;
  facts.id = node_name(store_.node.node);
  facts.version = NARU_VERSION;
  facts.uptime_s = static_cast<std::uint64_t>((now() - started_).count() / 1'000'000);
  facts.store_time = store_now();
  facts.problems = store_.problems;
  for (std::string& each : disk_.problems()) facts.problems.push_back(std::move(each));
  for (std::string& each : memory_.problems()) facts.problems.push_back(std::move(each));
  for (std::string& each : problems_of(store_.set_aside)) {
    facts.problems.push_back(std::move(each));
  }
  for (std::string& each : tls_problems(config_, listeners_, wall())) {
    facts.problems.push_back(std::move(each));
  }
  for (const OpenListener& each : listeners_) facts.listeners.push_back({each.address, each.port});
  for (const StreamConfig& each : config_.streams) {
    facts.streams.push_back({each.name, static_cast<std::uint64_t>(each.retention.count() / 1000)});
  }
  for (const BridgeFacts& each : bridges_.facts()) {
    facts.bridges.push_back({each.name, each.address, each.local_client_id, each.connected,
                             each.state, each.counters.sent, each.counters.received,
                             each.counters.dropped, each.counters.repeated});
  }
  for (const auto& each : store_.former_bridges) {
    NodeFacts::Bridge& bridge = facts.bridges.emplace_back();
    bridge.name = each.name;
    bridge.client_id = each.client_id;
    bridge.state = "removed";
    bridge.removed = true;
  }
  const storage::Committer::Stats stats = committer_->stats();
  facts.commits = {stats.commits, stats.units,        stats.bytes,
                   stats.failed,  stats.commit_times, stats.waits};
  std::size_t rule_filters = 0;
  for (const Rule& rule : rules_) rule_filters += rule.from.size();
  facts.subscriptions = routes_.size() - rule_filters;
  facts.disk_percent = static_cast<unsigned>(disk_.percent());
  facts.room = disk_.room();
  facts.memory_used = memory_.used();
  facts.memory_limit = memory_.limit();
  facts.memory_is_high = memory_.is_high();
  facts.command_prefix = config_.command_prefix;
  return facts;
}

asio::awaitable<StoreFacts> Node::store_facts() {
  auto facts = std::make_shared<StoreFacts>();
  auto reading = read([this, facts](const storage::KvStore& store) {
    facts->directory = config_.persistence_location;
    facts->format = store_.node.format;
    facts->incarnation = store_.node.incarnation;
    for (auto& each : store_.kv->family_stats()) {
      facts->families.push_back({std::move(each.name), each.rows, each.bytes});
    }
    const storage::RocksKv::Stats stats = store_.kv->stats();
    facts->log_bytes = stats.wal_bytes;
    facts->buffer_bytes = stats.write_buffer_bytes;
    facts->free_bytes = stats.free_bytes;
    facts->write_rate_max = stats.write_rate_max;
    facts->writes_stopped = stats.writes_stopped;
    const auto journal = store.scan(storage::Family::journal, {}, {});
    if (journal->valid()) facts->journal_first = storage::journal_number(journal->key());
    facts->journal_next = committer_->stats().next_journal_number;
  });
  co_await std::move(reading);
  co_return std::move(*facts);
}

asio::awaitable<Result<BackupTold>> Node::backup(std::string directory) {
  auto told = std::make_shared<Result<BackupTold>>(BackupTold{});
  auto begin = [this, told, directory](auto done) {
    asio::post(*copier_, [this, told, directory, done] {
      BackupFacts facts;
      facts.directory = directory;
      facts.node = node_name(store_.node.node);
      facts.version = NARU_VERSION;
      facts.taken_at = wall();
      const auto taken = take_backup(*store_.kv, facts);
      if (taken) {
        *told = BackupTold{taken->directory, taken->taken_at, taken->files, taken->bytes};
      } else {
        *told = taken.error();
      }
      done(true);
    });
  };
  auto wait = resumed_on_first<bool>(shards_[0]->context(), std::move(begin));
  co_await std::move(wait);
  co_return std::move(*told);
}

}  // namespace naru::broker

// Node's part behind the control interface.

#include <algorithm>
#include <cstdio>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "broker/app/node.hpp"
#include "cluster/lanes/lane_id.hpp"

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

// The time below which this share of the commits stayed, as the upper bound of its row.
static std::uint64_t commit_time(const storage::Committer::Stats& stats, double share) {
  std::uint64_t all = 0;
  for (const std::uint64_t row : stats.commit_times) all += row;
  std::uint64_t seen = 0;
  for (std::size_t row = 0; row < stats.commit_times.size(); ++row) {
    seen += stats.commit_times[row];
    if (all != 0 && static_cast<double>(seen) >= share * static_cast<double>(all)) {
      return std::uint64_t{1} << row;
    }
  }
  return 0;
}

NodeFacts Node::facts() const {
  NodeFacts facts;
  char id[17];
  std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(store_.node.node));
  facts.id = id;
  facts.version = NARU_VERSION;
  facts.uptime_s = static_cast<std::uint64_t>((now() - started_).count() / 1'000'000);
  facts.store_time = store_now();
  facts.problems = store_.problems;
  for (std::string& each : disk_.problems()) facts.problems.push_back(std::move(each));
  for (const OpenListener& each : listeners_) facts.listeners.push_back({each.address, each.port});
  for (const StreamConfig& each : config_.streams) {
    facts.streams.push_back({each.name, static_cast<std::uint64_t>(each.retention.count() / 1000)});
  }
  const storage::Committer::Stats stats = committer_->stats();
  facts.commits = {stats.commits, stats.units, commit_time(stats, 0.5), commit_time(stats, 0.99)};
  facts.command_prefix = config_.command_prefix;
  return facts;
}

}  // namespace naru::broker

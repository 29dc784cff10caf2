// broker/app/node.hpp
//
// Node is one running broker: its store, its committer, its shards and listeners, put together
// and taken apart in the right order.
//
// Edge. Made and stopped by main(); its virtual functions are called by shards on their threads.
// Owned by main(). Bounded by the configuration.
//
// Start: look at the store, recovery, store, committer, shards, listeners, socket, port file.
// Stop:  listeners, clients, commits, committer, shards, store.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include <boost/asio/thread_pool.hpp>

#include "broker/app/access_caller.hpp"
#include "broker/app/bridges.hpp"
#include "broker/app/config_file.hpp"
#include "broker/app/connection_door.hpp"
#include "broker/app/disk_watch.hpp"
#include "broker/app/listeners.hpp"
#include "broker/app/memory_watch.hpp"
#include "broker/app/node_gate.hpp"
#include "broker/app/node_store.hpp"
#include "broker/app/node_variation.hpp"
#include "broker/app/pulse.hpp"
#include "broker/http/control.hpp"
#include "broker/http/http_server.hpp"
#include "broker/net/shard.hpp"
#include "broker/net/shared_routes.hpp"
#include "storage/kv/committer.hpp"

namespace naru::broker {

class Node : public ShardHost, public BridgeHost, public Control {
 public:
  explicit Node(Config config, NodeVariation variation = {});
  ~Node() override;

  Result<void> start();  // Errors name what to do, but for corrupt; after one it is destroyed.
  // Where a reload gets the configuration from. Before start().
  void read_again_by(std::function<ConfigOutcome()> reread) { reread_ = std::move(reread); }
  // Reads everything again that may change while the node runs. Any thread; the log has it.
  ReloadOutcome reload_now();
  // Is told of every reload: true when it begins, false when it is over. Before start().
  void tell_reloads_to(std::function<void(bool begins)> told) { reload_told_ = std::move(told); }
  // Names a shard that has not answered since the last call, or a commit that takes longer than
  // the limit; empty where all moves. After start(), always on the same thread.
  std::string stuck_part(Duration limit);
  std::int64_t connections() const { return door_.open(); }
  void stop();  // In order; what was acknowledged is on disk when it returns.
  const std::vector<OpenListener>& listeners() const { return listeners_; }

  // ---- ShardHost ----
  Instant now() const override { return clock_.now(); }
  StoreMillis store_now() const override;
  WallMillis wall() const override { return clock_.wall(); }
  void deliver(std::uint16_t shard, std::vector<Hop>& hops) override;
  void hand_over(std::uint16_t shard, Handed handed) override;
  void submit(std::uint16_t shard, std::vector<storage::CommitUnit>&& units) override;
  void resume_commits(std::uint16_t shard) override;
  void change_horizon(const std::vector<HorizonChange>& changes) override;
  bool read_cached(Fetched& fetched) override;
  void read_later(std::uint16_t shard, Fetch fetch) override;
  void judge_later(std::uint16_t shard, Application application) override;
  void ask_right(std::uint16_t shard, RightQuestion question) override;
  ConnectionQuota::Refusal admit_connection(int fd, Listener& to, BytesView address) override;
  ConnectionQuota::Refusal locate_connection(int fd, BytesView address) override;
  void connection_gone(int fd, Listener& listener) override;
  void channel_failed(const ChannelFailure& failure) override;

  // ---- BridgeHost ----
  int connect_here(const Bytes& client_id, const Bytes& user) override;

  // ---- Control ----
  std::uint16_t shards() const override { return static_cast<std::uint16_t>(shards_.size()); }
  std::uint16_t shard_of(BytesView key) const override;
  boost::asio::awaitable<void> run(std::uint16_t shard, std::function<void(ShardCore&)> f) override;
  boost::asio::awaitable<bool> commit(
      std::uint16_t shard, std::function<bool(ShardCore&, std::uint64_t request)> f) override;
  boost::asio::awaitable<void> read(std::function<void(const storage::KvStore&)> f) override;
  NodeFacts facts() const override;
  boost::asio::awaitable<StoreFacts> store_facts() override;
  boost::asio::awaitable<Result<BackupTold>> backup(std::string directory) override;
  boost::asio::awaitable<ReloadOutcome> reload() override;

 private:
  Result<void> load_rules();
  Result<void> recover_lanes();
  void start_committer(std::uint64_t first_journal_number);
  ShardSettings settings_of(const Config& config, std::uint16_t shard) const;
  ReloadOutcome read_again();
  bool load_files(const Config& next, TlsContexts& contexts, std::vector<std::string>& problems);
  Result<void> open_doors();
  [[noreturn]] static void end_process(Errc why);
  static bool ask(Shard& shard, std::function<bool()> question);
  void answer(std::uint16_t shard, std::uint64_t connection, const Admission& admission);
  void ask_about(std::uint16_t shard, const Application& application, const AccessService& service);
  void keep_house();
  void keep_store_time();
  void keep_streams();
  void watch_disk(bool (DiskWatch::*look)());
  void watch_memory();
  void tell_room();
  void trim_journal();
  void flush_store();

  Config config_;
  std::mutex reload_mutex_;
  Config in_force_;  // As read, with what reloads have changed.
  std::function<ConfigOutcome()> reread_;
  std::function<void(bool)> reload_told_ = [](bool) {};
  const NodeVariation variation_;
  DiskWatch disk_;
  MemoryWatch memory_;
  std::mutex disk_mutex_;
  SystemClock clock_;
  Instant started_;
  NodeStore store_;
  RuleSet rules_;
  SharedRoutes routes_;
  NodeGate gate_;
  std::unique_ptr<storage::Committer> committer_;
  std::unique_ptr<Pulse> pulse_;  // Of the shards, which answer it.
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<boost::asio::thread_pool> reader_;
  std::unique_ptr<boost::asio::thread_pool> copier_;  // Of backups: they may take long.
  std::unique_ptr<boost::asio::thread_pool> judge_;   // Of passwords that take long.
  std::atomic<std::size_t> waiting_admissions_{0};
  AccessCaller access_caller_{clock_};
  std::unique_ptr<HttpServer> http_;
  std::vector<OpenListener> listeners_;
  Listener bridge_listener_;  // Of their connections to us; no socket has it.
  Bridges bridges_{*this};
  ConnectionDoor door_;
  std::thread housekeeper_;
  std::mutex stop_mutex_;
  std::condition_variable stop_signal_;
  bool stopping_ = false;
  // The housekeeper's own.
  std::uint64_t units_seen_ = 0;
  std::uint64_t journal_floor_ = 0;  // What was not needed a round ago.
  std::atomic<std::uint64_t> next_journal_floor_{0};
};

}  // namespace naru::broker

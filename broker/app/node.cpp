#include "broker/app/node.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "broker/http/api.hpp"
#include "broker/session/recovery.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/log.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

namespace asio = boost::asio;

namespace {

constexpr Seconds house_keeping_every{1};
constexpr std::uint64_t journal_trim_rounds = 30;
constexpr Seconds stop_limit{10};  // For commits that are under way when the node stops.

// A lane's share of a stream's keys, and some more, since keys do not spread evenly.
std::size_t keys_per_lane(std::uint64_t keys_max) {
  const double share = static_cast<double>(keys_max) / cluster::lane_count;
  const auto most = static_cast<std::uint64_t>(share + 4 * std::sqrt(share) + 2);
  return static_cast<std::size_t>(std::min(keys_max, most));
}

[[noreturn]] void end_process(Errc why) {
  // What the disk may have lost cannot be known; a new start reads what is really there.
  log(Severity::error, "commit_failed",
      {{"code", static_cast<unsigned>(why)}, {"action", "the process ends, the next start recovers"}});
  flush_log();
  ::_exit(74);
}

storage::MessageRef message_of(const Result<std::optional<Bytes>>& row) {
  if (!row || !*row) return nullptr;
  return storage::Message::decode(Bytes{storage::journal_message(**row)});
}

}  // namespace

class Node::PasswordGate final : public Gate {
 public:
  explicit PasswordGate(PasswordFile file, bool any) : file_(std::move(file)), any_(any) {}
  bool admits(BytesView user, BytesView password) const override {
    return any_ || file_.check(user, password) == PasswordVerdict::accepted;
  }

 private:
  PasswordFile file_;
  bool any_;  // No password file, and anonymous clients allowed: a name proves nothing anyhow.
};

Node::Node(Config config, NodeVariation variation)
    : config_(std::move(config)), variation_(std::move(variation)), disk_(config_) {}

Node::~Node() { stop(); }

// ---- start -------------------------------------------------------------------------------------

Result<void> Node::load_rules() {
  const auto knows = [&](const std::string& name) {
    return std::ranges::any_of(config_.streams,
                               [&](const StreamConfig& each) { return each.name == name; });
  };
  for (const RuleConfig& each : config_.rules) {
    auto key = KeyTemplate::parse(each.key);
    if (!key) return Error{Errc::invalid, "rule " + each.name + ": " + key.error().text};
    if (!knows(each.to)) {
      return Error{Errc::invalid, "rule " + each.name + ": there is no stream '" + each.to +
                                      "'; add a section 'stream " + each.to + "'"};
    }
    const std::uint64_t place = rules_.size();
    rules_.push_back({each.name, each.from, each.to, std::move(*key)});
    for (const std::string& filter : each.from) {
      routes_.add(filter, {place, 0, 0, Route::Kind::rule, 2});
    }
  }
  return {};
}

Result<void> Node::load_gate() {
  PasswordFile file;
  if (!config_.password_file.empty()) {
    auto loaded = PasswordFile::load(config_.password_file);
    if (!loaded) return loaded.error();
    file = std::move(*loaded);
  }
  const bool any = config_.password_file.empty() && config_.allow_anonymous;
  gate_ = std::make_unique<PasswordGate>(std::move(file), any);
  return {};
}

ShardSettings Node::settings_of(std::uint16_t shard) const {
  ShardSettings settings;
  settings.node = store_.node.node;
  settings.incarnation = store_.node.incarnation;
  settings.planted = variation_.planted;
  settings.shard = shard;
  settings.shards = static_cast<std::uint16_t>(config_.shards);
  settings.max_inflight =
      config_.max_inflight_messages == 0 ? 32'767 : config_.max_inflight_messages;
  settings.max_packet_size = config_.max_packet_size;
  settings.max_queued_messages = config_.max_queued_messages;
  settings.max_queued_bytes = config_.max_queued_bytes;
  settings.drop_oldest = config_.queue_drop == QueueDrop::oldest;
  if (config_.persistent_client_expiration.count() > 0) {
    settings.session_expiry_max_s =
        static_cast<std::uint32_t>(config_.persistent_client_expiration.count());
  }
  settings.max_keep_alive_s = config_.max_keepalive;
  settings.retain_available = config_.retain_available;
  settings.command_prefix = config_.command_prefix;
  for (const StreamConfig& stream : config_.streams) {
    settings.stream_keys[stream.name] = keys_per_lane(stream.keys_max);
  }
  return settings;
}

Result<void> Node::start() {
  started_ = clock_.now();
  if (config_.shards == 0) config_.shards = std::max(1u, std::thread::hardware_concurrency());
  const auto opened = open_store(config_, clock_, store_, variation_.file_system);
  if (!opened) return opened;
  for (const auto step : {&Node::load_rules, &Node::load_gate}) {
    const auto done = (this->*step)();
    if (!done) return done;
  }
  std::random_device device;
  for (std::uint16_t shard = 0; shard < config_.shards; ++shard) {
    const Rng rng{std::uint64_t{device()} << 32 | device()};
    shards_.push_back(
        std::make_unique<Shard>(*this, settings_of(shard), routes_, *gate_, rules_, rng));
    shards_.back()->core().encode_hops = config_.front_hop == FrontHop::encode;
  }
  const auto recovered = recover_lanes();
  if (!recovered) return recovered;
  reader_ = std::make_unique<asio::thread_pool>(1);
  for (const auto& shard : shards_) {
    shard->core().begin_turn(now(), store_now(), wall());
    shard->core().start();
    shard->start();
  }
  watch_disk();
  const auto doors = open_doors();
  if (!doors) return doors;
  housekeeper_ = std::thread([this] { keep_house(); });
  return {};
}

Result<void> Node::recover_lanes() {
  const auto home = [this](LaneId lane) -> LaneShard& {
    return shards_[lane % shards_.size()]->core().lanes();
  };
  const RecoveryTarget target{
      [&](LaneId lane) -> LaneState& { return home(lane).lane(lane); },
      [&](BytesView topic, std::uint64_t version, storage::MessageRef message) {
        home(cluster::lane_of(topic)).load_retained(topic, version, std::move(message));
      },
      routes_, store_.horizon};
  const auto recovered = recover(*store_.kv, target);
  if (!recovered) return recovered.error();
  store_.horizon.begin();
  if (recovered->unreadable != 0 || recovered->gaps != 0) {
    store_.problems.push_back(std::to_string(recovered->unreadable) + " rows could not be read, " +
                              std::to_string(recovered->gaps) + " queued messages are missing");
  }
  log(Severity::notice, "recovered",
      {{"sessions", recovered->sessions},
       {"queued", recovered->queued},
       {"retained", recovered->retained},
       {"journal_entries", recovered->entries},
       {"unreadable", recovered->unreadable},
       {"incarnation", store_.node.incarnation}});
  start_committer(recovered->next_journal_number);
  return {};
}

void Node::start_committer(std::uint64_t first_journal_number) {
  storage::Committer::Options options;
  options.durability = config_.durability;
  if (config_.commit_interval.count() > 0) {
    options.gather = config_.commit_interval;
    options.gather_max = config_.commit_interval + Millis{5};
    options.lazy_max = std::max<Duration>(options.lazy_max, options.gather);
  }
  committer_ = std::make_unique<storage::Committer>(*store_.kv, options, first_journal_number);
  for (const auto& shard : shards_) {
    committer_->add_source([&shard = *shard](std::vector<storage::CommitOutcome>&& outcomes) {
      for (const storage::CommitOutcome& each : outcomes) {
        if (each.failure && *each.failure != Errc::no_space) end_process(*each.failure);
      }
      shard.put_outcomes(std::move(outcomes));
    });
  }
  committer_->start();
}

Result<void> Node::open_doors() {
  auto opened = open_listeners(config_, shards());
  if (!opened) return opened.error();
  listeners_ = std::move(*opened);
  for (const OpenListener& each : listeners_) {
    for (std::uint16_t shard = 0; shard < shards(); ++shard) {
      const int fd = each.sockets[shard];
      const bool anonymous = each.anonymous_allowed;
      Shard* const edge = shards_[shard].get();
      edge->post([edge, fd, anonymous](ShardCore&) { edge->listen(fd, anonymous); });
    }
    log(Severity::notice, "listening", {{"address", each.address}, {"port", each.port}});
  }
  http_ = std::make_unique<HttpServer>(shards_[0]->context(), config_.api_socket,
                                       make_api(*this));
  const auto serving = http_->start();
  if (!serving) return serving;
  if (!config_.port_file.empty()) return write_port_file(config_.port_file, listeners_);
  return {};
}

// ---- stop --------------------------------------------------------------------------------------

void Node::stop() {
  {
    const std::lock_guard lock{stop_mutex_};
    if (std::exchange(stopping_, true)) return;
  }
  stop_signal_.notify_all();
  if (housekeeper_.joinable()) housekeeper_.join();
  if (http_) {
    std::mutex mutex;
    std::condition_variable done;
    bool stopped = false;
    shards_[0]->post([&](ShardCore&) {
      http_->stop();
      const std::lock_guard lock{mutex};
      stopped = true;
      done.notify_all();
    });
    std::unique_lock lock{mutex};
    done.wait_for(lock, stop_limit, [&] { return stopped; });
  }
  for (const auto& shard : shards_) shard->begin_stop();
  // Twice round every shard: goodbyes and marks are submitted, then answered.
  for (const auto& shard : shards_) {
    std::mutex mutex;
    std::condition_variable done;
    bool quiet = false;
    const Instant limit = now() + stop_limit;
    while (!quiet && now() < limit) {
      bool answered = false;
      Shard* const edge = shard.get();
      edge->post([&, edge](ShardCore&) {
        const std::lock_guard lock{mutex};
        quiet = edge->is_quiet();
        answered = true;
        done.notify_all();
      });
      std::unique_lock lock{mutex};
      done.wait(lock, [&] { return answered; });
    }
  }
  if (committer_) committer_->stop();
  if (reader_) reader_->join();
  for (const auto& shard : shards_) shard->join();
  http_.reset();
  if (store_.kv && committer_) {
    storage::Batch batch;
    batch.put(storage::Family::meta, storage::time_key,
              storage::encode_row(storage::TimeRow{store_now(), wall()}));
    const auto kept = store_.kv->commit(batch, storage::Durability::synced);
    if (!kept) log(Severity::error, "store_time_not_kept", {{"reason", kept.error().text}});
  }
  shards_.clear();
}

// ---- once a second -----------------------------------------------------------------------------

void Node::keep_house() {
  std::uint64_t round = 0;
  std::unique_lock lock{stop_mutex_};
  while (!stop_signal_.wait_for(lock, house_keeping_every, [&] { return stopping_; })) {
    keep_store_time();
    keep_streams();
    watch_disk();
    if (++round % journal_trim_rounds == 0) trim_journal();
  }
}

void Node::watch_disk() {
  if (!disk_.look()) return;
  for (const auto& shard : shards_) {
    shard->post([room = disk_.room()](ShardCore& core) { core.lanes().set_room(room); });
  }
}

// Store time is kept while there is something to keep it with; an idle node writes nothing.
void Node::keep_store_time() {
  const std::uint64_t units = committer_->stats().units;
  if (units == units_seen_) return;
  const Bytes row = storage::encode_row(storage::TimeRow{store_now(), wall()});
  shards_[0]->post([row](ShardCore& core) { core.lanes().put_meta(storage::time_key, row); });
  units_seen_ = units + 1;
}

void Node::keep_streams() {
  for (const StreamConfig& stream : config_.streams) {
    const auto keep = static_cast<WallMillis>(stream.retention.count());
    if (keep == 0 || wall() <= keep) continue;
    for (const auto& shard : shards_) {
      shard->post([name = stream.name, since = wall() - keep](ShardCore& core) {
        core.lanes().enforce_retention(name, since);
      });
    }
  }
}

// Files of the journal that hold nothing anybody needs go as a whole. The floor is one round old,
// so that the cursors it rests on have long been synced.
void Node::trim_journal() {
  if (journal_floor_ > 1) {
    const auto dropped = store_.kv->drop_files(storage::Family::journal, storage::journal_key(0),
                                               storage::journal_key(journal_floor_ - 1));
    if (!dropped) log(Severity::warning, "journal_not_trimmed", {{"reason", dropped.error().text}});
  }
  struct Answers {
    std::atomic<std::size_t> open;
    std::mutex mutex;
    std::uint64_t needed = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t committed = 0;
  };
  auto answers = std::make_shared<Answers>();
  answers->open = shards_.size();
  for (const auto& shard : shards_) {
    shard->post([answers, this](ShardCore& core) {
      const LaneShard::JournalNeed need = core.lanes().journal_need();
      const std::lock_guard lock{answers->mutex};
      answers->needed = std::min(answers->needed, need.needed);
      answers->committed = std::max(answers->committed, need.committed);
      if (--answers->open == 0) {
        next_journal_floor_ = std::min(answers->needed, answers->committed + 1);
      }
    });
  }
  journal_floor_ = next_journal_floor_.exchange(0);
}

// ---- for shards --------------------------------------------------------------------------------

StoreMillis Node::store_now() const {
  return store_.store_base +
         static_cast<StoreMillis>((clock_.now() - started_).count() / 1000);
}

void Node::deliver(std::uint16_t shard, std::vector<Hop>& hops) { shards_[shard]->put_hops(hops); }

void Node::hand_over(std::uint16_t shard, Handed handed) {
  shards_[shard]->put_handed(std::move(handed));
}

void Node::submit(std::uint16_t shard, std::vector<storage::CommitUnit>&& units) {
  committer_->submit(shard, std::move(units));
}

void Node::resume_commits(std::uint16_t shard) { committer_->resume(shard); }

void Node::change_horizon(const std::vector<HorizonChange>& changes) {
  using Kind = HorizonChange::Kind;
  storage::Horizon& horizon = store_.horizon;
  for (const HorizonChange& each : changes) {
    switch (each.kind) {
      case Kind::session_opened: horizon.open_session(each.lane, each.number); break;
      case Kind::session_passed: horizon.pass(each.lane, each.number, each.through); break;
      case Kind::session_ended: horizon.end_session(each.lane, each.number); break;
      case Kind::outbox_opened: horizon.open_outbox(each.lane, each.number, each.origin); break;
      case Kind::outbox_closed: horizon.close_outbox(each.lane, each.number, each.origin); break;
    }
  }
}

bool Node::read_cached(Fetched& fetched) {
  std::vector<Bytes> keys;
  keys.reserve(fetched.request.journal_numbers.size());
  for (const std::uint64_t number : fetched.request.journal_numbers) {
    keys.push_back(storage::journal_key(number));
  }
  std::vector<Result<std::optional<Bytes>>> rows;
  store_.kv->get_many(storage::Family::journal, keys, storage::Reach::cache, rows);
  fetched.messages.clear();
  for (const auto& row : rows) {
    if (!row) return false;
    fetched.messages.push_back(message_of(row));
  }
  return true;
}

void Node::read_later(std::uint16_t shard, Fetch fetch) {
  asio::post(*reader_, [this, shard, fetch = std::move(fetch)]() mutable {
    std::vector<Bytes> keys;
    for (const std::uint64_t number : fetch.journal_numbers) {
      keys.push_back(storage::journal_key(number));
    }
    std::vector<Result<std::optional<Bytes>>> rows;
    store_.kv->get_many(storage::Family::journal, keys, storage::Reach::disk, rows);
    auto fetched = std::make_shared<Fetched>(Fetched{std::move(fetch), {}});
    for (const auto& row : rows) {
      if (!row && row.error().code != Errc::not_found) end_process(row.error().code);
      fetched->messages.push_back(message_of(row));
    }
    shards_[shard]->post([fetched](ShardCore& core) { core.on_fetched(*fetched); });
  });
}

bool Node::admit_connection() {
  const std::int64_t count = ++connections_;
  if (config_.max_connections < 0 || count <= config_.max_connections) return true;
  --connections_;
  return false;
}

// ---- for the control interface -----------------------------------------------------------------

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
      const std::uint64_t request =
          edge->expect_answer([done](bool failed) { done(!failed); });
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

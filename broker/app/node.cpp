#include "broker/app/node.hpp"

#include <algorithm>
#include <cmath>
#include <future>
#include <random>

#include "broker/http/api.hpp"
#include "broker/http/sys_topics.hpp"
#include "broker/session/recovery.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/log.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

namespace asio = boost::asio;

namespace {

constexpr Seconds stop_limit{10};  // For commits that are under way when the node stops.

// A lane's share of a stream's keys, and some more, since keys do not spread evenly.
std::size_t keys_per_lane(std::uint64_t keys_max) {
  const double share = static_cast<double>(keys_max) / cluster::lane_count;
  const auto most = static_cast<std::uint64_t>(share + 4 * std::sqrt(share) + 2);
  return static_cast<std::size_t>(std::min(keys_max, most));
}

}  // namespace

Node::Node(Config config, NodeVariation variation)
    : config_(std::move(config)),
      in_force_(config_),
      variation_(std::move(variation)),
      disk_(config_),
      memory_(config_.memory_limit),
      door_(config_) {}

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

ShardSettings Node::settings_of(const Config& config, std::uint16_t shard) const {
  ShardSettings settings;
  settings.node = store_.node.node;
  settings.incarnation = store_.node.incarnation;
  settings.planted = variation_.planted;
  settings.shard = shard;
  settings.shards = static_cast<std::uint16_t>(config_.shards);
  settings.max_inflight = config.max_inflight_messages == 0 ? 32'767 : config.max_inflight_messages;
  settings.topic_aliases_in = config.max_topic_alias;
  settings.topic_aliases_out = config.max_topic_alias_broker;
  settings.max_packet_size = config.max_packet_size;
  settings.max_payload_size = config.message_size_limit;
  settings.max_queued_messages = config.max_queued_messages;
  settings.max_queued_bytes = config.max_queued_bytes;
  settings.max_delayed_messages = config.max_delayed_messages;
  settings.drop_oldest = config.queue_drop == QueueDrop::oldest;
  if (config.persistent_client_expiration.count() > 0) {
    settings.session_expiry_max_s =
        static_cast<std::uint32_t>(config.persistent_client_expiration.count());
  }
  settings.max_keep_alive_s = config.max_keepalive;
  settings.limits = client_limits(config);
  settings.retain_available = config.retain_available;
  settings.command_prefix = config.command_prefix;
  settings.response_information = config.response_information;
  settings.bridge_clients = bridge_clients(config_);
  for (const StreamConfig& stream : config.streams) {
    settings.stream_keys[stream.name] = keys_per_lane(stream.keys_max);
  }
  return settings;
}

Result<void> Node::start() {
  started_ = clock_.now();
  if (config_.shards == 0) config_.shards = std::max(1u, std::thread::hardware_concurrency());
  const auto looked = look_at_store(config_, clock_, store_, variation_.file_system);
  if (!looked) return looked;
  const auto ruled = load_rules();
  if (!ruled) return ruled;
  const auto gated = gate_.load(config_);
  if (!gated) return gated;
  std::random_device device;
  for (std::uint16_t shard = 0; shard < config_.shards; ++shard) {
    const Rng rng{std::uint64_t{device()} << 32 | device()};
    shards_.push_back(
        std::make_unique<Shard>(*this, settings_of(config_, shard), routes_, gate_, rules_, rng));
    shards_.back()->core().encode_hops = config_.front_hop == FrontHop::encode;
  }
  const auto recovered = recover_lanes();
  if (!recovered) return recovered;
  pulse_ = std::make_unique<Pulse>(shards_.size());
  reader_ = std::make_unique<asio::thread_pool>(1);
  copier_ = std::make_unique<asio::thread_pool>(1);
  judge_ = std::make_unique<asio::thread_pool>(std::max(1u, shards() / 2u));
  for (const auto& shard : shards_) {
    shard->core().begin_turn(now(), store_now(), wall());
    shard->core().start();
    shard->start();
  }
  watch_disk(&DiskWatch::look);
  const auto bridged = bridges_.start(config_, store_.node.node);
  if (!bridged) return bridged;
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
  const auto recovered = recover(*store_.look, target);
  if (!recovered) return recovered.error();
  const auto taken = take_store(config_, store_, variation_.file_system);
  if (!taken) return taken;
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
    committer_->add_source([this, &shard = *shard](std::vector<storage::CommitOutcome>&& outcomes) {
      for (const storage::CommitOutcome& each : outcomes) {
        if (each.failure && *each.failure != Errc::no_space) end_process(*each.failure);
      }
      shard.put_outcomes(std::move(outcomes));
      watch_disk(&DiskWatch::look_for_less);  // A second is long for a fast writer.
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
      Shard* const edge = shards_[shard].get();
      edge->post([edge, fd, to = each.listener](ShardCore&) { edge->listen(fd, *to); });
    }
    log(Severity::notice, "listening", {{"address", each.address}, {"port", each.port}});
  }
  http_ = std::make_unique<HttpServer>(shards_[0]->context(), config_.api_socket, make_api(*this));
  const auto serving = http_->start();
  if (!serving) return serving;
  if (config_.sys_interval != 0) {
    start_sys_topics(shards_[0]->context(), this, Seconds{config_.sys_interval});
  }
  if (!config_.port_file.empty()) return write_port_file(config_.port_file, listeners_);
  return {};
}

// ---- stop --------------------------------------------------------------------------------------

// Asks a shard on its own thread. False as well when it does not answer within the limit.
bool Node::ask(Shard& shard, std::function<bool()> question) {
  if (!shard.is_running()) return true;
  auto answer = std::make_shared<std::promise<bool>>();
  auto answered = answer->get_future();
  shard.post(
      [answer, question = std::move(question)](ShardCore&) { answer->set_value(question()); });
  return answered.wait_for(stop_limit) == std::future_status::ready && answered.get();
}

void Node::stop() {
  {
    const std::lock_guard lock{stop_mutex_};
    if (std::exchange(stopping_, true)) return;
  }
  stop_signal_.notify_all();
  if (housekeeper_.joinable()) housekeeper_.join();
  if (http_) {
    ask(*shards_[0], [http = http_.get()] {
      http->stop();
      return true;
    });
  }
  bridges_.stop();
  for (const auto& shard : shards_) shard->begin_stop();
  const Instant limit = now() + stop_limit;
  for (const auto& shard : shards_) {
    Shard* const edge = shard.get();
    while (!ask(*edge, [edge] { return edge->is_quiet(); }) && now() < limit) {
      std::this_thread::yield();
    }
  }
  if (committer_) committer_->stop();
  access_caller_.stop();
  if (judge_) judge_->stop();  // Whoever waits for it has been told goodbye.
  if (judge_) judge_->join();
  if (reader_) reader_->join();
  if (copier_) copier_->join();
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
  for (const OpenListener& each : listeners_) each.remove_path();
}

}  // namespace naru::broker

#include "test/sim/lane_load.hpp"

#include "broker/stream/rule.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"

namespace naru::test {

using namespace broker;  // NOLINT: the cores are the vocabulary of this file.

namespace {

constexpr std::size_t crowd = 14;
constexpr LinkId first_device_link = LinkId{1} << 40;  // Links of the crowd count from 1.
constexpr const char* device_id = "device";
constexpr Duration sync_time{3'000};

RuleSet rules() {
  RuleSet set;
  auto key = KeyTemplate::parse("${topic[1]}");
  auto never = KeyTemplate::parse("${lacking}");
  NARU_CHECK(key.has_value() && never.has_value());
  set.push_back({"telemetry", {"load/+/0"}, "telemetry", std::move(*key)});
  set.push_back({"broken", {"state/+/1"}, "states", std::move(*never)});
  return set;
}

Weather weather() {
  Weather weather;
  weather.publish = 0.3;
  weather.cut = 0.004;
  weather.leave = 0.004;
  weather.unsubscribe = 0.02;
  weather.clean_start = 0.1;
  return weather;
}

ModelOptions device_options() {
  ModelOptions options;
  options.client_id = device_id;
  options.version = mqtt::Version::v3_1_1;
  return options;
}

}  // namespace

LaneLoad::LaneLoad(std::uint64_t seed, std::uint16_t shards)
    : rng_(seed), shards_(shards), device_(device_options(), device_history_) {
  options_.shards = shards;
  options_.encode_hops = seed % 2 == 0;
  options_.rules = rules();
  if (seed % 3 == 0) {
    options_.settings.max_queued_messages = 40;
    options_.settings.drop_oldest = true;
  }
  clients_ = std::make_unique<SimClients>(crowd, weather(), history_, rng_.fork());
}

StoreMillis LaneLoad::store_now() const { return SimNode::store_now(now_); }

void LaneLoad::start() {
  node_ = std::make_unique<SimNode>(disk_, options_, rng_.fork());
  node_->start(now_);
  for (std::uint16_t shard = 0; shard < shards_; ++shard) {
    auto& listener = node_->shard(shard).lanes().on_applied;
    listener = [this, others = listener](const storage::Record& record) {
      others(record);
      log_.push_back(encode_record(record));
    };
  }
}

void LaneLoad::advance() {
  std::uint64_t most = 5'000;
  if (rng_.chance(0.01)) most = 3'000'000;
  if (rng_.chance(0.003)) most = 200'000'000;  // Streams date their records by the minute.
  now_ = now_ + Duration{static_cast<std::int64_t>(1 + rng_.below(most))};
}

void LaneLoad::run(std::size_t steps) {
  for (std::size_t i = 0; i < steps; ++i) {
    advance();
    if (rng_.chance(0.3)) operate();
    clients_->step(node_.get(), now_);
    step_device();
    for (std::uint16_t shard = 0; shard < shards_; ++shard) {
      if (rng_.chance(0.8)) node_->turn(shard, now_);
    }
    node_->step_committer(now_, sync_time);
    hear();
  }
}

void LaneLoad::hold() {
  std::size_t quiet = 0;
  for (std::size_t round = 0; quiet < 4; ++round) {
    NARU_CHECK(round < 100'000);
    now_ = now_ + Millis{1};
    bool idle = true;
    for (std::uint16_t shard = 0; shard < shards_; ++shard) {
      node_->turn(shard, now_);
      idle = idle && node_->shard(shard).lanes().idle();
    }
    node_->step_committer(now_, sync_time);
    quiet = idle && node_->idle() ? quiet + 1 : 0;
  }
  hear();
}

void LaneLoad::crash_by_lanes() {
  for (const storage::Record& record : node_->die_by_lanes()) {
    log_.push_back(encode_record(record));
  }
  disk_.crash();
  node_.reset();
  clients_->on_broker_dead(now_);
  if (device_link_ != 0) device_.on_closed(ModelClient::ClosedBy::broken, now_);
  device_link_ = 0;
  asked_commands_.clear();
  asked_cursors_.clear();
}

// ---- the operator and his device ---------------------------------------------------------------

void LaneLoad::operate() {
  LaneShard& some = node_->shard(static_cast<std::uint16_t>(rng_.below(shards_))).lanes();
  const BytesView stream = rng_.chance(0.8) ? BytesView{"telemetry"} : dead_letter_stream;
  const std::uint64_t what = rng_.below(12);
  if (what >= 10) return publish_later();
  if (what < 4) return submit_command();
  if (what < 7) return end_some_command();
  if (what == 7) return put_consumer();
  if (what == 8) return some.mark_streams();
  some.enforce_retention(stream, SimNode::wall_now(now_) - 10'000);
}

void LaneLoad::submit_command() {
  NewCommand command;
  command.device = rng_.chance(0.9) ? device_id : "nobody";
  command.id = "c" + std::to_string(++requests_);
  command.name = "unlock";
  command.payload = "{}";
  command.expires_at = store_now() + 1 + rng_.below(5'000);
  command.expires_wall = command.expires_at;
  asked_commands_[requests_] = command.id;
  node_->home_of(cluster::lane_of(command.device)).submit(command, requests_);
}

// By a cancellation, or by the device's own word.
void LaneLoad::end_some_command() {
  if (requests_ == 0) return;
  const Bytes id = "c" + std::to_string(1 + rng_.below(requests_));
  LaneShard& home = node_->home_of(cluster::lane_of(device_id));
  if (rng_.chance(0.5)) {
    home.cancel(device_id, id, 0);
    return;
  }
  hop::CommandReply reply{device_id, id, CommandState::succeeded, "{\"door\":1}", {}};
  home.on(reply);
}

// For the crowd's sessions, for the rules and to be retained.
void LaneLoad::publish_later() {
  static constexpr const char* topics[] = {"load/later/0", "load/later/1", "state/later/1"};
  storage::MessageView view;
  view.origin = {1, 0, 0, ++requests_};  // No run has the incarnation 0.
  view.qos = static_cast<std::uint8_t>(rng_.below(3));
  view.topic = topics[rng_.below(3)];
  view.retain = view.topic.starts_with("state");
  view.sender = "operator";
  view.payload = "later";
  const LaneId lane = cluster::lane_of(view.sender);
  hop::PublishLater later{
      lane, 0, 0, 0, store_now() + rng_.below(3'000), storage::Message::make(view), {}};
  node_->home_of(lane).on(later);
}

void LaneLoad::put_consumer() {
  const Bytes consumer = "reader-" + std::to_string(rng_.below(5));
  const Bytes cursor = "at-" + std::to_string(++requests_);
  asked_cursors_[requests_] = cursor;
  node_->home_of(cluster::lane_of(consumer)).put_consumer("telemetry", consumer, cursor, requests_);
}

void LaneLoad::hear() {
  for (const Answered& answer : node_->take_answered()) {
    if (answer.failed) continue;
    const auto command = asked_commands_.find(answer.request);
    if (command != asked_commands_.end()) commands_.insert(command->second);
    const auto cursor = asked_cursors_.find(answer.request);
    if (cursor != asked_cursors_.end()) cursors_.insert(cursor->second);
  }
}

void LaneLoad::step_device() {
  if (device_link_ == 0) {
    if (!rng_.chance(0.05)) return;
    device_link_ = first_device_link + ++links_;
    node_->open(device_link_, now_);
    device_.on_open(now_);
    return;
  }
  if (device_.has_output()) node_->input(device_link_, device_.take_output());
  device_.on_bytes(node_->take_output(device_link_, 65'536), now_);
  device_.on_time(now_);
  if (rng_.chance(0.1)) {
    device_.subscribe({"vehicles/device/commands/+", mqtt::Qos::at_least_once}, now_);
  }
  const bool ended = node_->ending_of(device_link_).ended || device_.wants_close();
  if (!ended && !rng_.chance(0.02)) return;
  node_->hang_up(device_link_);
  device_.on_closed(ModelClient::ClosedBy::broken, now_);
  device_link_ = 0;
}

}  // namespace naru::test

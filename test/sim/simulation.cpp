#include "test/sim/simulation.hpp"

#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "broker/stream/rule.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/schema.hpp"

namespace naru::test {

namespace {

// In virtual time. A slow client may take long; one that is stuck sees nothing happen.
constexpr Seconds rest_limit{3'600};
constexpr Seconds stuck_after{60};
constexpr Seconds quiet_time{16};  // Longer than the grace of wills and any retry.
constexpr const char* stream_name = "telemetry";

broker::RuleSet rules() {
  broker::RuleSet set;
  auto key = broker::KeyTemplate::parse("${topic[1]}");
  NARU_CHECK(key.has_value());
  set.push_back({"telemetry", {"load/+/0"}, stream_name, std::move(*key)});
  return set;
}

}  // namespace

Simulation::Simulation(SimOptions options) : options_(options), rng_(options.seed) {
  choose_weather();
  node_options_.shards = static_cast<std::uint16_t>(1 + rng_.below(3));
  node_options_.encode_hops = options.seed % 2 == 0;
  node_options_.rules = rules();
  node_options_.settings.planted = options.planted;
  node_options_.settings.retained_step = 2;  // Few messages, many steps.
  history_.settled_after = Seconds{60};      // Slow and full disks: its next CONNACK tells.
  clients_ = std::make_unique<SimClients>(options.clients, weather_, history_, rng_.fork());
}

// Every run has some of the faults, so that those behind a frequent one are met too.
void Simulation::choose_weather() {
  const auto sometimes = [this](double p, double value) { return rng_.chance(p) ? value : 0.0; };
  weather_.publish = rng_.chance(0.3) ? 0.4 : 0.05;
  weather_.retain = sometimes(0.7, 0.15);
  weather_.cut = sometimes(0.7, rng_.chance(0.2) ? 0.01 : 0.001);
  weather_.leave = sometimes(0.7, 0.001);
  weather_.wake = rng_.chance(0.5) ? 0.3 : 0.02;
  weather_.partial = sometimes(0.6, 0.4);
  weather_.stall = sometimes(0.5, 0.02);
  weather_.unsubscribe = sometimes(0.5, 0.005);
  weather_.clean_start = sometimes(0.3, 0.1);
  crash_ = sometimes(0.8, rng_.chance(0.2) ? 0.01 : 0.002);
  full_ = sometimes(0.3, 0.002);
  if (!options_.disk_may_fill) full_ = 0;
  drop_ = sometimes(0.7, 0.02);
  sync_time_ = rng_.chance(0.3) ? Millis{200} : Millis{3};
  const double commands = sometimes(0.5, rng_.chance(0.2) ? 0.2 : 0.03);
  const SimDevice::Faults faults{weather_.cut, weather_.leave, weather_.partial};
  if (commands > 0) commands_ = std::make_unique<CommandLoad>(commands, faults, rng_.fork());
  if (rng_.chance(0.5)) {
    groups_ = std::make_unique<GroupLoad>(weather_, history_, rng_.fork());
  }
}

void Simulation::note(Event event) {
  Record record;
  record.at = now_;
  record.event = event;
  history_.add(record);
}

void Simulation::fail(std::string why) { result_.failures.push_back(std::move(why)); }

void Simulation::advance() {
  std::uint64_t most = calm_ ? 40'000 : 5'000;
  if (rng_.chance(0.1)) most = 100'000;
  if (!calm_ && rng_.chance(0.01)) most = 3'000'000;
  now_ = now_ + Duration{static_cast<std::int64_t>(1 + rng_.below(most))};
}

void Simulation::start_node() {
  node_ = std::make_unique<SimNode>(disk_, node_options_, rng_.fork());
  node_->start(now_);
  if (node_->recovered().unreadable != 0) fail("rows that cannot be read after a start");
  if (node_->recovered().gaps != 0) fail("places in queues whose message is missing");
  note(Event::broker_started);
}

void Simulation::crash() {
  const bool power = rng_.chance(0.5);
  note(power ? Event::broker_power_loss : Event::broker_crash);
  const bool by_lanes = !power && full_until_ == Instant::never() && rng_.chance(0.7);
  node_->crash(by_lanes);
  if (power) {
    disk_.power_loss(rng_.below(disk_.unsynced() + 1));
    ++result_.power_losses;
  } else {
    disk_.crash();
    ++result_.crashes;
  }
  node_.reset();
  clients_->on_broker_dead(now_);
  if (commands_) commands_->on_broker_dead(now_);
  if (groups_) groups_->on_broker_dead(now_);
  disk_.heal();
  full_until_ = Instant::never();
  down_until_ = now_ + Millis{static_cast<std::int64_t>(rng_.below(2'000))};
}

void Simulation::make_room() {
  disk_.heal();
  node_->set_room(false);  // As if it had been looked at between.
  node_->set_room(true);
  note(Event::disk_has_room);
}

void Simulation::disturb() {
  if (node_ == nullptr) {
    if (now_ >= down_until_) start_node();
    return;
  }
  if (full_until_ == Instant::never() && rng_.chance(full_)) {
    disk_.fail_commits(Errc::no_space);
    full_until_ = now_ + Millis{static_cast<std::int64_t>(rng_.below(2'000))};
    ++result_.full_disks;
    if (rng_.chance(0.5)) node_->set_room(false);  // Else the first commit finds out.
    note(Event::disk_full);
  } else if (now_ >= full_until_) {
    make_room();
    full_until_ = Instant::never();
  }
  if (rng_.chance(drop_)) result_.journal_drops += node_->drop_journal();
  if (rng_.chance(crash_)) crash();
}

void Simulation::step() {
  advance();
  if (!calm_) disturb();
  clients_->step(node_.get(), now_);
  if (commands_) commands_->step(node_.get(), now_);
  if (groups_) groups_->step(node_.get(), now_);
  if (node_ != nullptr) {
    for (std::uint16_t shard = 0; shard < node_->shards(); ++shard) {
      if (calm_ || rng_.chance(0.8)) node_->turn(shard, now_);
    }
    if (commands_) commands_->hear(*node_, now_);
    node_->step_committer(now_, sync_time_);
  }
  ++result_.steps;
  if (!options_.verbose) return;
  for (; printed_ < history_.records().size(); ++printed_) {
    std::printf("%s\n", history_.line(printed_).c_str());
  }
}

std::string Simulation::unsettled() const {
  return clients_->unsettled() + (commands_ ? commands_->unsettled() : "") +
         (groups_ ? groups_->unsettled() : "");
}

bool Simulation::resting() const { return node_->idle() && unsettled().empty(); }

// Nothing is on its way and nothing happens any more. False: it does not come to that.
bool Simulation::rest(Duration quiet) {
  const Instant limit = now_ + rest_limit;
  Instant quiet_since = now_;
  Instant last_event = now_;
  const auto events = [this] {
    return history_.records().size() + (commands_ ? commands_->history().size() : 0);
  };
  std::size_t seen = events();
  while (now_ < limit) {
    step();
    if (commands_) commands_->note_waiting(now_);
    if (events() != seen) last_event = now_;
    if (!resting() || last_event == now_) quiet_since = now_;
    if (now_ - last_event > stuck_after) return false;
    seen = events();
    if (now_ - quiet_since > quiet) return true;
  }
  return false;
}

void Simulation::settle() {
  calm_ = true;
  if (node_ == nullptr) start_node();
  make_room();
  clients_->calm();
  if (commands_) commands_->calm();
  if (groups_) groups_->calm(now_);
  if (!rest(quiet_time)) return fail("no rest:" + unsettled());
  clients_->note_drained(now_);
  if (groups_) groups_->note_drained(now_);
  clients_->add_reader();
  if (!rest(Seconds{1})) return fail("retained messages cannot be read");
  clients_->note_retained_read(now_);
}

// ---- judging -----------------------------------------------------------------------------------

// The stream holds every acknowledged message of its rule, QoS 2 once; sequences have no gap.
void Simulation::check_stream() {
  std::map<Bytes, std::uint64_t> sequences;
  std::map<MessageId, std::size_t> stored;
  const auto rows = disk_.scan(storage::Family::stream, {}, {});
  for (; rows->valid(); rows->next()) {
    const BytesView key = rows->key();
    const BytesView prefix = BytesView{stream_name};
    if (key.substr(3, prefix.size()) != prefix || key[3 + prefix.size()] != 'r') continue;
    storage::StreamRow row;
    if (!storage::decode_row(rows->value(), row) || !row.message) return fail("a stream's row");
    if (row.sequence != ++sequences[row.key]) fail("a gap in the sequence of key " + row.key);
    const auto message = storage::Message::decode(*row.message);
    MessageId id;
    if (!message || !parse_payload(message->view().payload, message->view().topic, id)) {
      fail("a record of the stream that nobody published");
      continue;
    }
    ++stored[id];
  }
  for (const Publish& publish : Timeline{history_}.publishes) {
    const std::string& topic = history_.text(publish.topic);
    if (!filter_matches("load/+/0", topic) || publish.qos == 0) continue;
    const std::size_t copies = stored.count(publish.id) != 0 ? stored[publish.id] : 0;
    if (publish.acked != never && copies == 0) {
      fail("acknowledged and not in the stream: " + history_.line(publish.sent));
    }
    const std::size_t most = publish.qos == 2 ? 1 : publish.attempts;
    if (copies > most) fail("too often in the stream: " + history_.line(publish.sent));
  }
}

// What the disk says is what the lanes know.
void Simulation::check_recovery() {
  std::vector<broker::LaneState> lanes;
  for (broker::LaneId lane = 0; lane < cluster::lane_count; ++lane) lanes.emplace_back(lane);
  broker::FilterIndex routes;
  storage::Horizon horizon;
  const broker::RecoveryTarget target{
      [&](broker::LaneId lane) -> broker::LaneState& { return lanes[lane]; },
      [](BytesView, std::uint64_t, const storage::MessageRef&) {}, routes, horizon};
  if (!recover(disk_, target)) return fail("the disk cannot be read");
  for (broker::LaneId lane = 0; lane < cluster::lane_count; ++lane) {
    if (lanes[lane].digest() != node_->home_of(lane).lane(lane).digest()) {
      fail("lane " + std::to_string(lane) + " is not what the disk says");
    }
    if (node_->follower_of(lane).digest() != node_->home_of(lane).lane(lane).digest()) {
      fail("lane " + std::to_string(lane) + " is not what its records say");
    }
  }
}

// At rest nothing waits for anybody and nothing pins the journal.
void Simulation::check_queues() {
  for (broker::LaneId lane = 0; lane < cluster::lane_count; ++lane) {
    broker::LaneState& state = node_->home_of(lane).lane(lane);
    for (const auto& [id, client] : state.clients()) {
      if (client.session && client.session->queue.size() != 0) {
        fail("messages stay in the queue of " + id);
      }
    }
    for (const auto& [id, outbox] : state.outboxes()) {
      if (outbox.row.released)
        fail("a message that the broker owes stays, of " + outbox.row.client_id);
    }
  }
}

void Simulation::check_members() {
  if (!groups_) return;
  for (std::string& wrong : groups_->wrong_members(*node_)) fail(std::move(wrong));
}

// Of the devices' connections only what concerns any client: their payloads are not the crowd's.
void Simulation::check_ledger() {
  if (!commands_) return;
  if (node_ != nullptr) commands_->read_all(*node_, now_);
  Violations found = check_commands(commands_->history());
  const Timeline seen{commands_->seen()};
  for (const auto check : {check_session_state, check_bounds, check_protocol}) {
    for (Violation& violation : check(seen)) found.push_back(std::move(violation));
  }
  for (const Violation& violation : found) fail(violation.checker + ": " + violation.text);
  result_.commands = commands_->sent();
  result_.commands_succeeded = commands_->succeeded();
}

SimResult Simulation::run() {
  for (std::size_t i = 0; i < options_.steps; ++i) step();
  settle();
  if (node_ != nullptr && result_.failures.empty()) {
    check_queues();
    check_members();
    check_recovery();
    check_stream();
  }
  for (Violation& violation : check_all(history_)) {
    fail(violation.checker + ": " + violation.text);
  }
  check_ledger();
  result_.summary = summarize(Timeline{history_});
  if (groups_) result_.shared = groups_->received();
  result_.hash = history_.digest() ^ (disk_.counts().commits * 0x9e3779b97f4a7c15);
  if (commands_) result_.hash ^= commands_->seen().digest();
  return result_;
}

}  // namespace naru::test

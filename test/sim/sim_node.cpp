#include "test/sim/sim_node.hpp"

#include <utility>

#include "cluster/lanes/lane_id.hpp"
#include "storage/base/check.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/meta.hpp"

namespace naru::test {

using namespace broker;  // NOLINT: the cores are the vocabulary of this file.

namespace {
constexpr WallMillis wall_base = 1'700'000'000'000;
constexpr std::uint64_t node_id = 0x5eed;
}  // namespace

SimNode::SimNode(storage::FaultKv& disk, SimNodeOptions options, Rng rng)
    : disk_(disk),
      options_(std::move(options)),
      rng_(rng),
      boxes_(options_.shards),
      submitted_(options_.shards),
      told_(options_.shards),
      sockets_(options_.shards) {}

StoreMillis SimNode::store_now(Instant now) {
  return 1'000'000 + static_cast<StoreMillis>(now.since_start.count() / 1000);
}

WallMillis SimNode::wall_now(Instant now) { return wall_base + store_now(now); }

void SimNode::start(Instant now) {
  const auto node = storage::begin_incarnation(disk_, node_id);
  NARU_CHECK(node.has_value());
  for (std::size_t i = 0; i < options_.rules.size(); ++i) {
    for (const Bytes& filter : options_.rules[i].from) {
      routes_.add(filter, {i, 0, 0, Route::Kind::rule, 2});
    }
  }
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    ShardSettings settings = options_.settings;
    settings.node = node->node;
    settings.incarnation = node->incarnation;
    settings.shard = shard;
    settings.shards = options_.shards;
    shards_.push_back(std::make_unique<ShardCore>(std::move(settings), routes_, gate_,
                                                  options_.rules, rng_.fork()));
    shards_.back()->encode_hops = options_.encode_hops;
  }
  const RecoveryTarget target{
      [&](LaneId lane) -> LaneState& { return home_of(lane).lane(lane); },
      [&](BytesView topic, std::uint64_t version, storage::MessageRef message) {
        home_of(cluster::lane_of(topic)).load_retained(topic, version, std::move(message));
      },
      routes_, horizon_};
  const auto recovered = recover(disk_, target);
  NARU_CHECK(recovered.has_value());
  recovered_ = *recovered;
  horizon_.begin();
  storage::Horizon unused;
  FilterIndex ignored;
  for (LaneId lane = 0; lane < cluster::lane_count; ++lane) followers_.emplace_back(lane);
  const RecoveryTarget copy{[&](LaneId lane) -> LaneState& { return followers_[lane]; },
                            [](BytesView, std::uint64_t, const storage::MessageRef&) {}, ignored,
                            unused};
  NARU_CHECK(recover(disk_, copy).has_value());
  for (const auto& shard : shards_) {
    shard->lanes().on_applied = [this](const storage::Record& record) { follow(record); };
  }
  committer_.emplace(disk_, recovered_.next_journal_number, options_.shards, rng_.fork());
  for (const auto& shard : shards_) {
    shard->begin_turn(now, store_now(now), wall_now(now));
    shard->start();
  }
}

// What a replica would do: the record is all it gets.
void SimNode::follow(const storage::Record& record) {
  storage::Record copy;
  NARU_CHECK(storage::decode_record(storage::encode_record(record), copy));
  storage::MessageRef message;
  const auto carry = [&](const SharedBytes& bytes) {
    if (bytes) message = storage::Message::decode(*bytes);
  };
  if (const auto* enqueued = std::get_if<storage::Enqueued>(&copy.body)) carry(enqueued->message);
  if (const auto* outbox = std::get_if<storage::OutboxPut>(&copy.body)) carry(outbox->message);
  if (const auto* delayed = std::get_if<storage::DelayedPut>(&copy.body)) carry(delayed->message);
  if (const auto* appended = std::get_if<storage::StreamAppended>(&copy.body)) {
    carry(appended->row.message);
  }
  Effects effects;
  LaneState& lane = followers_[copy.head.lane];
  lane.apply(copy, 1, message, effects);
  lane.apply(copy, 1, message, effects);
}

// ---- sockets -----------------------------------------------------------------------------------

void SimNode::adopt(std::uint16_t shard, LinkId link, Bytes unread) {
  const ConnectionId id = std::uint64_t{shard} << 48 | ++connections_;
  Socket& socket = sockets_[shard][id];
  socket.link = link;
  socket.arrived = std::move(unread);
  links_[link] = {shard, id};
  shards_[shard]->front().opened(id, Peer{"sim"});
}

void SimNode::open(LinkId link, Instant) {
  const auto shard = static_cast<std::uint16_t>(rng_.below(options_.shards));
  boxes_[shard].handed.emplace_back(link, Bytes{});
  endings_[link] = {};
  links_[link] = {shard, 0};
}

void SimNode::input(LinkId link, Bytes bytes) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  const auto [shard, id] = found->second;
  if (id != 0) {
    sockets_[shard][id].arrived += bytes;
    return;
  }
  for (auto& [handed, unread] : boxes_[shard].handed) {
    if (handed == link) unread += bytes;
  }
}

void SimNode::hang_up(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  const auto [shard, id] = found->second;
  if (id != 0) {
    sockets_[shard][id].hung_up = true;
    return;
  }
  std::erase_if(boxes_[shard].handed, [&](const auto& each) { return each.first == link; });
  links_.erase(found);
}

Bytes SimNode::take_output(LinkId link, std::size_t most) {
  const auto found = links_.find(link);
  if (found == links_.end() || found->second.second == 0) return {};
  const auto [shard, id] = found->second;
  Bytes* const output = shards_[shard]->front().output(id);
  if (output == nullptr) return {};
  const Bytes taken = output->substr(0, most);
  output->erase(0, taken.size());
  if (!output->empty()) return taken;
  if (sockets_[shard][id].closing) {
    drop(shard, id);
  } else {
    shards_[shard]->front().drained(id);
  }
  return taken;
}

SimNode::Ending SimNode::ending_of(LinkId link) {
  const auto found = endings_.find(link);
  return found == endings_.end() ? Ending{true, false} : found->second;
}

void SimNode::drop(std::uint16_t shard, ConnectionId id) {
  const auto found = sockets_[shard].find(id);
  if (found == sockets_[shard].end()) return;
  const Socket& socket = found->second;
  endings_[socket.link] = {true, socket.in_good_order && socket.arrived.empty()};
  links_.erase(socket.link);
  sockets_[shard].erase(found);
  shards_[shard]->front().closed(id);
}

// ---- turns -------------------------------------------------------------------------------------

void SimNode::feed(std::uint16_t shard, ConnectionId id, Socket& socket, BytesView fresh) {
  socket.unread.append(fresh);
  socket.fed = true;
  const std::size_t taken = shards_[shard]->front().receive(id, socket.unread);
  socket.unread.erase(0, taken);
}

void SimNode::take_mail(std::uint16_t shard) {
  Box mail = std::exchange(boxes_[shard], {});
  ShardCore& core = *shards_[shard];
  if (!mail.outcomes.empty()) core.on_committed(mail.outcomes);
  told_[shard] += mail.outcomes.size();
  for (Hop& hop : mail.hops) core.on_hop(hop);
  for (auto& [link, unread] : mail.handed) adopt(shard, link, std::move(unread));
  for (Fetch& wanted : mail.fetches) fetch(shard, wanted);
}

void SimNode::read_sockets(std::uint16_t shard) {
  std::vector<ConnectionId> ids;
  for (const auto& [id, socket] : sockets_[shard]) ids.push_back(id);
  for (const ConnectionId id : ids) {
    Socket& socket = sockets_[shard][id];
    socket.fed = false;
    const Connection* const c = std::as_const(shards_[shard]->front()).find(id);
    const bool reads = c != nullptr && !socket.closing && !c->paused &&
                       c->state != Connection::State::attaching &&
                       c->state != Connection::State::closing;
    if (reads && !socket.arrived.empty())
      feed(shard, id, socket, std::exchange(socket.arrived, {}));
    // A hang-up is only seen by who reads, or when a send fails.
    if (socket.hung_up && (socket.arrived.empty() || rng_.chance(0.1))) drop(shard, id);
  }
}

void SimNode::turn(std::uint16_t shard, Instant now) {
  ++turns_;
  ShardCore& core = *shards_[shard];
  core.begin_turn(now, store_now(now), wall_now(now));
  take_mail(shard);
  read_sockets(shard);
  bool more = true;
  while (more) {
    core.end_turn();
    more = carry_out(shard);
  }
}

void SimNode::change_horizon(const std::vector<HorizonChange>& changes) {
  using Kind = HorizonChange::Kind;
  for (const HorizonChange& each : changes) {
    switch (each.kind) {
      case Kind::session_opened: horizon_.open_session(each.lane, each.number); break;
      case Kind::session_passed: horizon_.pass(each.lane, each.number, each.through); break;
      case Kind::session_ended: horizon_.end_session(each.lane, each.number); break;
      case Kind::outbox_opened: horizon_.open_outbox(each.lane, each.number, each.origin); break;
      case Kind::outbox_closed: horizon_.close_outbox(each.lane, each.number, each.origin); break;
    }
  }
}

void SimNode::fetch(std::uint16_t shard, Fetch& wanted) {
  Fetched fetched{std::move(wanted), {}};
  for (const std::uint64_t number : fetched.request.journal_numbers) {
    const auto row = disk_.get(storage::Family::journal, storage::journal_key(number));
    NARU_CHECK(row.has_value());
    fetched.messages.push_back(
        *row ? storage::Message::decode(Bytes{storage::journal_message(**row)}) : nullptr);
  }
  shards_[shard]->on_fetched(fetched);
}

bool SimNode::carry_out(std::uint16_t shard) {
  ShardOutput& output = shards_[shard]->output();
  change_horizon(std::exchange(output.horizon, {}));
  if (std::exchange(output.resume_commits, false)) committer_->resume(shard);
  submitted_[shard] += output.units.size();
  if (!output.units.empty()) committer_->submit(shard, std::exchange(output.units, {}));
  for (std::uint16_t to = 0; to < options_.shards; ++to) {
    if (to == shard) continue;
    for (Hop& hop : std::exchange(output.hops[to], {})) {
      if (options_.encode_hops) {
        Bytes bytes;
        encode_variant(hop, bytes);
        NARU_CHECK(decode_variant(bytes, hop));
      }
      boxes_[to].hops.push_back(std::move(hop));
    }
  }
  for (const hop::RouteFence& fence : std::exchange(output.fences, {})) {
    boxes_[fence.shard].hops.emplace_back(hop::FencePassed{fence.ticket});
  }
  for (const Answered& each : std::exchange(output.answered, {})) answered_.push_back(each);
  for (const ConnectionId id : std::exchange(output.dirty, {})) shards_[shard]->front().sending(id);
  for (const ConnectionId id : std::exchange(output.closing, {})) {
    const auto found = sockets_[shard].find(id);
    if (found == sockets_[shard].end()) continue;
    found->second.closing = true;
    found->second.in_good_order = found->second.fed;
    const Bytes* const rest = shards_[shard]->front().output(id);
    if (rest == nullptr || rest->empty()) drop(shard, id);
  }
  const bool more = !output.resumed.empty() || !output.fetches.empty();
  for (const HandOver& each : std::exchange(output.hand_overs, {})) {
    const auto found = sockets_[shard].find(each.connection);
    if (found == sockets_[shard].end()) continue;
    Socket socket = std::move(found->second);
    sockets_[shard].erase(found);
    links_[socket.link] = {each.shard, 0};
    boxes_[each.shard].handed.emplace_back(socket.link, socket.unread + socket.arrived);
    if (socket.hung_up) hang_up(socket.link);
  }
  for (Fetch& wanted : std::exchange(output.fetches, {})) {
    if (rng_.chance(0.5)) {
      boxes_[shard].fetches.push_back(std::move(wanted));  // From disk, some time later.
    } else {
      fetch(shard, wanted);
    }
  }
  for (const ConnectionId id : std::exchange(output.resumed, {})) {
    const auto found = sockets_[shard].find(id);
    if (found != sockets_[shard].end() && !found->second.closing) {
      feed(shard, id, found->second, std::exchange(found->second.arrived, {}));
    }
  }
  return more;
}

void SimNode::set_room(bool room) {
  for (const auto& shard : shards_) shard->set_room({room, room, room});
}

void SimNode::step_committer(Instant now, Duration sync_time) {
  const auto outcomes = committer_->step(now, sync_time);
  for (std::size_t shard = 0; shard < outcomes.size(); ++shard) {
    auto& box = boxes_[shard].outcomes;
    box.insert(box.end(), outcomes[shard].begin(), outcomes[shard].end());
  }
}

std::size_t SimNode::drop_journal() {
  storage::Batch batch;
  const auto rows = disk_.scan(storage::Family::journal, {}, {});
  for (; rows->valid(); rows->next()) {
    if (horizon_.droppable(storage::Family::journal, rows->key(), rows->value())) {
      batch.erase(storage::Family::journal, rows->key());
    }
  }
  const std::size_t count = batch.count();
  // What is not synced yet may come back with a power loss, as with real files.
  if (count != 0 && !disk_.commit(batch, storage::Durability::written)) return 0;
  return count;
}

bool SimNode::idle() const {
  for (const Box& box : boxes_) {
    if (!box.outcomes.empty() || !box.hops.empty() || !box.handed.empty() || !box.fetches.empty()) {
      return false;
    }
  }
  return committer_->idle();
}

void SimNode::crash(bool by_lanes) {
  if (by_lanes) committer_->crash_by_lanes();
}

// Which records a unit held is known to its shard alone, so that the dead process is told that all
// of them were committed, one unit after the other.
std::vector<storage::Record> SimNode::die_by_lanes() {
  const auto kept = committer_->crash_by_lanes();
  std::vector<storage::Record> survivors;
  for (std::uint16_t shard = 0; shard < options_.shards; ++shard) {
    const std::uint64_t written = told_[shard] + boxes_[shard].outcomes.size();
    std::map<LaneId, std::vector<storage::Record>> open;  // Lost, unless a later one is there.
    std::vector<LaneId> touched;
    shards_[shard]->lanes().on_applied = [&](const storage::Record& record) {
      open[record.head.lane].push_back(record);
      touched.push_back(record.head.lane);
    };
    for (std::uint64_t ticket = told_[shard] + 1; ticket <= submitted_[shard]; ++ticket) {
      touched.clear();
      shards_[shard]->on_committed({{ticket, 1, {}}});
      for (const LaneId lane : touched) {
        if (ticket > written && !kept.contains({shard, ticket, lane})) continue;
        for (storage::Record& record : open[lane]) survivors.push_back(std::move(record));
        open[lane].clear();
      }
    }
    shards_[shard]->lanes().on_applied = nullptr;
  }
  return survivors;
}

}  // namespace naru::test

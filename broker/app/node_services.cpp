// Node's part that serves its shards while they run, and keeps house once a second.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include <boost/asio/post.hpp>

#include "broker/app/node.hpp"
#include "storage/base/log.hpp"
#include "storage/tables/journal.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

namespace asio = boost::asio;

namespace {

constexpr Seconds house_keeping_every{1};
constexpr std::uint64_t journal_trim_rounds = 30;
constexpr std::uint64_t pressed_trim_rounds = 2;  // While the disk budget refuses work.

storage::MessageRef message_of(const Result<std::optional<Bytes>>& row) {
  if (!row || !*row) return nullptr;
  return storage::Message::decode(Bytes{storage::journal_message(**row)});
}

}  // namespace

void Node::end_process(Errc why) {
  // What the disk may have lost cannot be known; a new start reads what is really there.
  log(Severity::error, "commit_failed",
      {{"code", static_cast<unsigned>(why)},
       {"action", "the process ends, the next start recovers"}});
  flush_log();
  ::_exit(74);
}

// ---- once a second -----------------------------------------------------------------------------

void Node::keep_house() {
  std::uint64_t round = 0;
  std::unique_lock lock{stop_mutex_};
  Instant next = now() + house_keeping_every;
  while (!stop_signal_.wait_for(lock, memory_.look_every(), [&] { return stopping_; })) {
    watch_memory();
    if (now() < next) continue;
    next = now() + house_keeping_every;
    keep_store_time();
    keep_streams();
    watch_disk(&DiskWatch::look);
    ++round;
    const bool pressed = !disk_.room().sessions;
    if (round % (pressed ? pressed_trim_rounds : journal_trim_rounds) != 0) continue;
    // What is still in memory keeps its log on disk; written out, what nobody needs is left out.
    if (pressed) flush_store();
    trim_journal();
  }
}

void Node::watch_disk(bool (DiskWatch::*look)()) {
  const std::lock_guard lock{disk_mutex_};  // The shards hear of changes in their order.
  if ((disk_.*look)()) tell_room();
}

void Node::watch_memory() {
  const std::lock_guard lock{disk_mutex_};
  if (!memory_.look()) return;
  door_.set_low_memory(memory_.is_high());
  tell_room();
}

void Node::tell_room() {
  for (const auto& shard : shards_) {
    shard->post([room = disk_.room(), low = memory_.is_high()](ShardCore& core) {
      core.set_room(room, low);
    });
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

void Node::flush_store() {
  const auto flushed = store_.kv->flush();
  if (!flushed) log(Severity::warning, "store_not_flushed", {{"reason", flushed.error().text}});
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

std::string Node::stuck_part(Duration limit) {
  const auto silent = pulse_->round(
      [this](std::size_t n) { shards_[n]->post([this, n](ShardCore&) { pulse_->on_answer(n); }); });
  if (silent) return "shard " + std::to_string(*silent) + " does not answer";
  const Duration waited = committer_->stats().oldest_wait;
  if (waited <= limit) return {};
  const auto seconds = std::chrono::duration_cast<Seconds>(waited).count();
  return "a commit has waited for the disk for " + std::to_string(seconds) + " s";
}

// ---- for shards --------------------------------------------------------------------------------

StoreMillis Node::store_now() const {
  return store_.store_base + static_cast<StoreMillis>((clock_.now() - started_).count() / 1000);
}

void Node::deliver(std::uint16_t shard, std::vector<Hop>& hops) { shards_[shard]->put_hops(hops); }

void Node::hand_over(std::uint16_t shard, Handed handed) {
  shards_[shard]->put_handed(std::move(handed));
}

// A pair of sockets; a shard serves one of them like any client's.
int Node::connect_here(const Bytes& client_id, const Bytes& user) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return -1;
  door_.enter(bridge_listener_);
  Handed handed;
  handed.fd = pair[1];
  handed.listener = &bridge_listener_;
  handed.peer.address = "bridge";
  handed.peer.names = std::make_shared<const PeerNames>(PeerNames{user, {}, {}});
  handed.peer.own_bridge = true;
  shards_[shard_of(client_id)]->put_handed(std::move(handed));
  return pair[0];
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

ConnectionQuota::Refusal Node::admit_connection(int fd, Listener& to, BytesView address) {
  return door_.admit(fd, to, address, now());
}

ConnectionQuota::Refusal Node::locate_connection(int fd, BytesView address) {
  return door_.locate(fd, address, now());
}

void Node::connection_gone(int fd, Listener& listener) { door_.gone(fd, listener); }

void Node::channel_failed(const ChannelFailure& failure) { door_.log_failure(failure, now()); }

}  // namespace naru::broker

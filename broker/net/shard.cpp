#include "broker/net/shard.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "broker/net/denial_log.hpp"

namespace naru::broker {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes = 256 * 1024;

}  // namespace

Shard::Shard(ShardHost& host, ShardSettings settings, RouteTable& routes, const Gate& gate,
             const RuleSet& rules, Rng rng)
    : host_(host),
      core_(std::move(settings), routes, gate, rules, rng),
      timer_(context_),
      buffer_(read_bytes) {}

Shard::~Shard() { join(); }

void Shard::start() {
  thread_ = std::thread([this] {
    const auto work = asio::make_work_guard(context_);
    asio::post(context_, [this] { open_turn(); });
    context_.run();
  });
  // As debuggers and top show it.
  const std::string name = "naru-shard-" + std::to_string(core_.settings().shard);
  pthread_setname_np(thread_.native_handle(), name.c_str());
}

void Shard::join() {
  if (!thread_.joinable()) return;
  context_.stop();
  thread_.join();
}

// ---- from other threads ------------------------------------------------------------------------

void Shard::wake() {
  asio::post(context_, [this] { open_turn(); });
}

void Shard::post(std::function<void(ShardCore&)> work) {
  if (mailbox_.put([&](Mail& mail) { mail.work.push_back(std::move(work)); })) wake();
}

void Shard::put_hops(std::vector<Hop>& hops) {
  const bool empty = mailbox_.put([&](Mail& mail) {
    for (Hop& hop : hops) mail.hops.push_back(std::move(hop));
  });
  if (empty) wake();
}

void Shard::put_outcomes(std::vector<storage::CommitOutcome>&& outcomes) {
  const bool empty = mailbox_.put([&](Mail& mail) {
    mail.outcomes.insert(mail.outcomes.end(), outcomes.begin(), outcomes.end());
  });
  if (empty) wake();
}

void Shard::put_handed(Handed handed) {
  if (mailbox_.put([&](Mail& mail) { mail.handed.push_back(std::move(handed)); })) wake();
}

std::uint64_t Shard::expect_answer(std::function<void(bool)> done) {
  expected_.emplace(++requests_, std::move(done));
  return requests_;
}

void Shard::answer_now(std::uint64_t request) {
  core_.output().answered.push_back({request, false});
}

void Shard::begin_stop() {
  post([this](ShardCore& core) {
    stopping_ = true;
    acceptors_.clear();
    core.front().shut_down();
    core.lanes().mark_streams();
  });
}

bool Shard::is_quiet() {
  return goodbye_said_ && core_.lanes().idle() &&
         std::ranges::none_of(lingering_,
                              [](const SocketRef& socket) { return socket->descriptor.is_open(); });
}

// ---- turns -------------------------------------------------------------------------------------

void Shard::open_turn() {
  if (std::exchange(turn_open_, true)) return;
  core_.begin_turn(host_.now(), host_.store_now(), host_.wall());
  asio::post(context_, [this] { flush(); });
}

void Shard::take_mail() {
  mailbox_.take(mail_);
  if (!mail_.outcomes.empty()) core_.on_committed(mail_.outcomes);
  for (Hop& hop : mail_.hops) core_.on_hop(hop);
  for (Handed& handed : mail_.handed) adopt(std::move(handed));
  for (auto& work : mail_.work) work(core_);
  mail_.clear();
}

void Shard::flush() {
  if (!handshakes_.empty()) go_on_with_handshakes();
  take_mail();
  bool more = true;
  while (more) {
    core_.end_turn();
    more = carry_out();
  }
  turn_open_ = false;
  goodbye_said_ = stopping_;
  arm_timer();
  if (!handshakes_.empty()) open_turn();
}

// What the core asks for, in the order ShardOutput promises. True: it has had new input from it.
bool Shard::carry_out() {
  ShardOutput& output = core_.output();
  if (!output.horizon.empty()) {
    host_.change_horizon(output.horizon);
    output.horizon.clear();
  }
  const std::uint16_t self = core_.settings().shard;
  if (std::exchange(output.resume_commits, false)) host_.resume_commits(self);
  if (!output.units.empty()) host_.submit(self, std::exchange(output.units, {}));
  for (std::uint16_t shard = 0; shard < output.hops.size(); ++shard) {
    if (shard == self || output.hops[shard].empty()) continue;
    host_.deliver(shard, output.hops[shard]);
    output.hops[shard].clear();
  }
  for (const hop::RouteFence& fence : std::exchange(output.fences, {})) {
    std::vector<Hop> answer{hop::FencePassed{fence.ticket}};
    host_.deliver(fence.shard, answer);
  }
  for (const Answered& answered : std::exchange(output.answered, {})) {
    const auto found = expected_.find(answered.request);
    if (found == expected_.end()) continue;
    const auto done = std::move(found->second);
    expected_.erase(found);
    done(answered.failed);
  }
  log_denials(std::exchange(output.denials, {}));
  for (Application& each : std::exchange(output.applications, {})) {
    host_.judge_later(self, std::move(each));
  }
  for (RightQuestion& each : std::exchange(output.questions, {})) {
    host_.ask_right(self, std::move(each));
  }
  send_all();
  close_all();
  const bool more = !output.resumed.empty() || !output.fetches.empty();
  hand_over_all();
  fetch_all();
  resume_all();
  return more;
}

void Shard::arm_timer() {
  const Instant at = core_.next_deadline();
  if (at == timer_at_ && at != Instant::never()) return;
  timer_at_ = at;
  const Duration wait = std::max(Duration{0}, at - host_.now());
  timer_.expires_after(wait);
  timer_.async_wait([this](const error_code& error) {
    if (error) return;
    timer_at_ = Instant::never();
    end_lingering();
    open_turn();
  });
}

void Shard::fetch_all() {
  for (Fetch& fetch : std::exchange(core_.output().fetches, {})) {
    Fetched fetched{std::move(fetch), {}};
    if (host_.read_cached(fetched)) {
      core_.on_fetched(fetched);
    } else {
      host_.read_later(core_.settings().shard, std::move(fetched.request));
    }
  }
}

}  // namespace naru::broker

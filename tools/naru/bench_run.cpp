// tools/naru/bench_run.cpp
#include "tools/naru/bench_run.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include <sys/resource.h>

#include "broker/mqtt/topics.hpp"

namespace naru::tools {
namespace {

using Scenario = BenchPlan::Scenario;

constexpr Duration tick{2000};
// An open loop looks this often at what is due, within these bounds once for each message.
constexpr Duration finest_tick{50};
constexpr Duration coarsest_tick{1000};
constexpr Seconds stall_time{10};
constexpr Seconds tell_every{5};

Duration own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) { return t.tv_sec * 1'000'000 + t.tv_usec; };
  return Duration{micros(usage.ru_utime) + micros(usage.ru_stime)};
}

}  // namespace

BenchRun::BenchRun(ClientLoop& loop, const BenchPlan& plan, const ClientSettings& settings, int pid)
    : context_{loop, plan, board_}, pid_(pid) {
  make_clients(settings);
}

void BenchRun::make_clients(const ClientSettings& settings) {
  const BenchPlan& plan = context_.plan;
  for (std::size_t i = 0; i < plan.publishers; ++i) {
    ClientSettings one = settings;
    one.client_id = settings.client_id + "-pub-" + std::to_string(i);
    one.window = plan.open_loop ? 65'535 : plan.window;
    publishers_.push_back(
        std::make_unique<BenchPublisher>(context_, one, static_cast<std::uint32_t>(i)));
  }
  std::vector<BenchPublisher*> all;
  for (const auto& publisher : publishers_) all.push_back(publisher.get());
  for (std::size_t i = 0; i < plan.subscribers; ++i) {
    ClientSettings one = settings;
    one.client_id = settings.client_id + "-sub-" + std::to_string(i);
    if (plan.keeps_sessions()) {
      one.clean_start = false;
      one.session_expiry_s = 3600;
    }
    subscribers_.push_back(std::make_unique<BenchSubscriber>(context_, one, i));
    const bool one_each = plan.scenario == Scenario::pairs || plan.split;
    const bool credits = plan.paced_by_delivery && (one_each || i == 0);
    if (credits) subscribers_.back()->credit(all);
  }
}

Result<Json> BenchRun::run() {
  for (std::size_t p = 0; p < publishers_.size(); ++p) {
    topics_.push_back(topic_of(context_.plan, p, 1));
  }
  copies_.resize(publishers_.size());
  for (std::size_t s = 0; s < subscribers_.size(); ++s) {
    const std::string filter = filter_of(context_.plan, s);
    for (std::size_t p = 0; p < publishers_.size(); ++p) {
      copies_[p] += mqtt::filter_matches(filter, topics_[p]) ? 1 : 0;
    }
  }
  Result<Json> result = run_scenario();
  if (result || !interrupted_) return result;
  return end_early();
}

Result<Json> BenchRun::run_scenario() {
  switch (context_.plan.scenario) {
    case Scenario::retained: return run_retained();
    case Scenario::idle: return run_idle();
    case Scenario::connect: return run_connect();
    case Scenario::filters: return run_filters();
    case Scenario::storm: return run_storm();
    case Scenario::fan_in:
    case Scenario::fan_out:
    case Scenario::pairs:
    case Scenario::offline:
    case Scenario::mixed: break;
  }
  return run_messages();
}

Result<Json> BenchRun::run_messages() {
  const bool offline = context_.plan.scenario == Scenario::offline;
  const auto subscribed = open_subscribers();
  if (!subscribed) return subscribed.error();
  if (offline) {
    const auto left = leave_all(pointers(subscribers_));
    if (!left) return left.error();
  }
  const auto publishers = open_publishers();
  if (!publishers) return publishers.error();

  Json result;
  auto meter = start_meter();
  if (!meter) return meter.error();
  const auto published = publish_all();
  if (!published) return published.error();
  if (offline) {
    const auto enqueue = stop_meter(*meter, wanted());
    if (!enqueue) return enqueue.error();
    result["enqueue"] = *enqueue;
    meter = start_meter();
    if (!meter) return meter.error();
    const auto returned = open_all(pointers(subscribers_));
    if (!returned) return returned.error();
  }
  const auto delivered = wait_for_deliveries();
  if (!delivered) return delivered.error();
  const auto use = stop_meter(*meter, offline ? board_.received : board_.published);
  if (!use) return use.error();
  result[offline ? "drain" : "use"] = *use;
  result.update(deliveries());
  if (!offline) add_delivery_cost(result);
  const auto dropped = drop_sessions();
  if (!dropped) return dropped.error();
  return result;
}

Result<void> BenchRun::open_subscribers() {
  const auto opened = open_all(pointers(subscribers_));
  if (!opened) return opened.error();
  return wait_until([this] { return board_.subscribed == subscribers_.size(); }, "subscribing");
}

Result<void> BenchRun::open_publishers() { return open_all(pointers(publishers_)); }

Result<void> BenchRun::open_all(std::vector<BenchClient*> clients) {
  const std::uint64_t wanted = board_.online + clients.size();
  std::reverse(clients.begin(), clients.end());
  to_open_ = std::move(clients);
  return wait_until([this, wanted] { return board_.online == wanted; }, "connecting");
}

Result<void> BenchRun::leave_all(const std::vector<BenchClient*>& clients) {
  for (BenchClient* client : clients) client->leave();
  return wait_until(
      [&clients] {
        return std::none_of(clients.begin(), clients.end(),
                            [](const BenchClient* client) { return client->is_open(); });
      },
      "leaving");
}

void BenchRun::begin_publishing() {
  const BenchPlan& plan = context_.plan;
  board_.budget = plan.count > 0 ? plan.count : std::numeric_limits<std::uint64_t>::max();
  publishing_since_ = SystemClock{}.now();
  if (plan.duration.count() > 0) ends_ = publishing_since_ + plan.duration;
  if (plan.rate > 0) return;
  for (const auto& publisher : publishers_) publisher->publish(plan.window);
}

Result<void> BenchRun::publish_all() {
  begin_publishing();
  const auto published = wait_until(
      [this] { return board_.budget == 0 && board_.settled == board_.published; }, "publishing");
  // Paced by deliveries, a lost message's room never comes back: the count will tell.
  const bool starved = !published && published.error().code == Errc::busy &&
                       context_.plan.paced_by_delivery && board_.settled == board_.published;
  board_.budget = 0;
  return starved ? Result<void>{} : published;
}

std::uint64_t BenchRun::wanted() const {
  std::uint64_t sum = 0;
  for (std::size_t p = 0; p < publishers_.size(); ++p) {
    sum += (publishers_[p]->published() - publishers_[p]->refused()) * copies_[p];
  }
  return sum;
}

// What does not come is not an error here: it is counted as lost.
Result<void> BenchRun::wait_for_deliveries() {
  const std::uint64_t all = wanted();
  const auto waited =
      wait_until([this, all] { return board_.received - board_.repeated >= all; }, "delivering");
  if (!waited && waited.error().code != Errc::busy) return waited.error();
  return {};
}

// Runs the loop until the condition holds. busy when nothing moved for stall_time.
Result<void> BenchRun::wait_until(std::function<bool()> done, const char* step) {
  done_ = std::move(done);
  step_ = step;
  step_began_ = progress_at_ = told_at_ = SystemClock{}.now();
  context_.loop.call_at(step_began_, *this);
  context_.loop.run();
  if (!board_.failure.empty()) {
    return Error{board_.answered ? Errc::io : Errc::unavailable,
                 std::string{"while "} + step + ": " + board_.failure};
  }
  interrupted_ = context_.loop.interrupted();
  if (interrupted_) return Error{Errc::refused, std::string{"interrupted while "} + step};
  if (!done_()) {
    return Error{Errc::busy, std::string{"nothing moved for "} +
                                 std::to_string(stall_time.count()) + " s while " + step};
  }
  return {};
}

Duration BenchRun::pause() const {
  if (!context_.plan.open_loop || board_.budget == 0 || !to_open_.empty()) return tick;
  const Duration each{static_cast<std::int64_t>(1e6 / context_.plan.rate)};
  return std::clamp(each, finest_tick, coarsest_tick);
}

void BenchRun::on_timer(Instant now) {
  const double opened = context_.plan.connect_rate * static_cast<double>(tick.count()) * 1e-6;
  for (int i = 0; i < std::max(1, static_cast<int>(opened)) && !to_open_.empty(); ++i) {
    BenchClient* const client = to_open_.back();
    to_open_.pop_back();
    client->open();
  }
  if (now >= ends_) board_.budget = 0;
  publish_at_rate(now);
  const std::uint64_t progress = board_.online + board_.subscribed + board_.changes +
                                 board_.settled + board_.published + board_.received;
  if (progress != progress_) progress_at_ = now;
  progress_ = progress;
  if (!board_.failure.empty() || done_() || now - progress_at_ > stall_time) {
    context_.loop.stop();
    return;
  }
  tell_progress(now);
  context_.loop.call_at(now + pause(), *this);
}

void BenchRun::publish_at_rate(Instant now) {
  const double rate = context_.plan.rate;
  if (rate == 0 || board_.budget == 0) return;
  const double seconds = static_cast<double>((now - publishing_since_).count()) * 1e-6;
  const auto due = static_cast<std::uint64_t>(rate * seconds);
  for (std::uint64_t n = board_.published; n < due && board_.budget > 0; ++n) {
    BenchPublisher& publisher = *publishers_[n % publishers_.size()];
    if (!context_.plan.open_loop) {
      publisher.publish(1);
      continue;
    }
    const auto offset = static_cast<std::int64_t>(static_cast<double>(n + 1) * 1e6 / rate);
    publisher.publish_late(publishing_since_ + Duration{offset});
  }
}

// For people who wait; what is measured goes to stdout.
void BenchRun::tell_progress(Instant now) {
  if (now - told_at_ < tell_every) return;
  told_at_ = now;
  const auto seconds = std::chrono::duration_cast<Seconds>(now - step_began_).count();
  std::fprintf(
      stderr, "naru: %s for %lld s: %llu online, %llu published, %llu settled, %llu received\n",
      step_, static_cast<long long>(seconds), static_cast<unsigned long long>(board_.online),
      static_cast<unsigned long long>(board_.published),
      static_cast<unsigned long long>(board_.settled),
      static_cast<unsigned long long>(board_.received));
}

Result<BenchRun::Meter> BenchRun::start_meter() const {
  Meter meter{.began = SystemClock{}.now(), .usage = {}, .own_cpu = own_cpu()};
  if (pid_ == 0) return meter;
  const auto usage = usage_of(pid_);
  if (!usage) return usage.error();
  meter.usage = *usage;
  return meter;
}

Result<Json> BenchRun::stop_meter(const Meter& meter, std::uint64_t messages) const {
  const double micros =
      static_cast<double>(std::max<std::int64_t>((board_.last_event - meter.began).count(), 1));
  const double each = static_cast<double>(std::max<std::uint64_t>(messages, 1));
  Json use{
      {"messages", messages},
      {"seconds", rounded(micros * 1e-6)},
      {"per_s", std::round(each / micros * 1e6)},
      {"bench_cpu_us", rounded(static_cast<double>((own_cpu() - meter.own_cpu).count()) / each)}};
  if (pid_ == 0) return use;
  const auto now = usage_of(pid_);
  if (!now) return now.error();
  const auto cpu = static_cast<double>((now->cpu - meter.usage.cpu).count());
  use["broker_cpu_us"] = rounded(cpu / each);
  use["broker_cores"] = rounded(cpu / micros);
  use["broker_memory_bytes"] = now->memory_bytes;
  use["broker_written_bytes"] =
      rounded(static_cast<double>(now->written_bytes - meter.usage.written_bytes) / each);
  return use;
}

}  // namespace naru::tools

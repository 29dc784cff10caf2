// tools/naru/bench_run.cpp
#include "tools/naru/bench_run.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <sys/resource.h>

namespace naru::tools {
namespace {

using Scenario = BenchPlan::Scenario;

constexpr Millis tick{2};
constexpr Seconds stall_time{10};

Duration own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) { return t.tv_sec * 1'000'000 + t.tv_usec; };
  return Duration{micros(usage.ru_utime) + micros(usage.ru_stime)};
}

double rounded(double value) { return std::round(value * 100) / 100; }

template <class Client>
std::vector<BenchClient*> pointers(const std::vector<std::unique_ptr<Client>>& clients) {
  std::vector<BenchClient*> all;
  for (const auto& client : clients) all.push_back(client.get());
  return all;
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
    one.window = plan.window;
    publishers_.push_back(
        std::make_unique<BenchPublisher>(context_, one, static_cast<std::uint32_t>(i)));
  }
  std::vector<BenchPublisher*> all;
  for (const auto& publisher : publishers_) all.push_back(publisher.get());
  for (std::size_t i = 0; i < plan.subscribers; ++i) {
    ClientSettings one = settings;
    one.client_id = settings.client_id + "-sub-" + std::to_string(i);
    if (plan.scenario == Scenario::offline) {
      one.clean_start = false;
      one.session_expiry_s = 3600;
    }
    subscribers_.push_back(std::make_unique<BenchSubscriber>(context_, one, filter_of(i)));
    const bool credits = plan.paced_by_delivery && (plan.scenario == Scenario::pairs || i == 0);
    if (credits) subscribers_.back()->credit(all);
  }
}

std::string BenchRun::filter_of(std::size_t subscriber) const {
  const std::string& prefix = context_.plan.prefix;
  if (context_.plan.scenario == Scenario::pairs) return prefix + "/" + std::to_string(subscriber);
  return prefix + "/+";
}

// How many subscribers get each message.
std::uint64_t BenchRun::copies() const {
  return context_.plan.scenario == Scenario::pairs ? 1 : subscribers_.size();
}

Result<Json> BenchRun::run() {
  const bool offline = context_.plan.scenario == Scenario::offline;
  const auto subscribers = open_all(pointers(subscribers_));
  if (!subscribers) return subscribers.error();
  const auto subscribed =
      wait_until([this] { return board_.subscribed == subscribers_.size(); }, "subscribing");
  if (!subscribed) return subscribed.error();
  if (offline) {
    const auto left = leave_all(pointers(subscribers_));
    if (!left) return left.error();
  }
  const auto publishers = open_all(pointers(publishers_));
  if (!publishers) return publishers.error();

  Json result;
  auto meter = start_meter();
  if (!meter) return meter.error();
  const auto published = publish_all();
  if (!published) return published.error();
  if (offline) {
    const auto enqueue = stop_meter(*meter, board_.published * copies());
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

Result<void> BenchRun::publish_all() {
  const BenchPlan& plan = context_.plan;
  board_.budget = plan.count > 0 ? plan.count : std::numeric_limits<std::uint64_t>::max();
  if (plan.duration.count() > 0) ends_ = SystemClock{}.now() + plan.duration;
  if (plan.rate == 0) {
    for (const auto& publisher : publishers_) publisher->publish(plan.window);
  }
  const auto published = wait_until(
      [this] { return board_.budget == 0 && board_.settled == board_.published; }, "publishing");
  // Paced by deliveries, a lost message's room never comes back: the count will tell.
  const bool starved = !published && published.error().code == Errc::busy &&
                       plan.paced_by_delivery && board_.settled == board_.published;
  board_.budget = 0;
  return starved ? Result<void>{} : published;
}

// What does not come is not an error here: it is counted as lost.
Result<void> BenchRun::wait_for_deliveries() {
  const std::uint64_t wanted = (board_.published - board_.refused) * copies();
  const auto waited =
      wait_until([this, wanted] { return board_.received >= wanted; }, "delivering");
  if (!waited && waited.error().code != Errc::busy) return waited.error();
  return {};
}

// Runs the loop until the condition holds. busy when nothing moved for stall_time.
Result<void> BenchRun::wait_until(std::function<bool()> done, const char* step) {
  done_ = std::move(done);
  step_began_ = progress_at_ = SystemClock{}.now();
  context_.loop.call_at(step_began_, *this);
  context_.loop.run();
  if (!board_.failure.empty()) {
    return Error{board_.subscribed + board_.online == 0 ? Errc::unavailable : Errc::io,
                 std::string{"while "} + step + ": " + board_.failure};
  }
  if (context_.loop.interrupted())
    return Error{Errc::refused, std::string{"interrupted while "} + step};
  if (!done_()) {
    return Error{Errc::busy, std::string{"nothing moved for "} +
                                 std::to_string(stall_time.count()) + " s while " + step};
  }
  return {};
}

void BenchRun::on_timer(Instant now) {
  const double opened = context_.plan.connect_rate * static_cast<double>(tick.count()) * 1e-3;
  for (int i = 0; i < std::max(1, static_cast<int>(opened)) && !to_open_.empty(); ++i) {
    BenchClient* const client = to_open_.back();
    to_open_.pop_back();
    client->open();
  }
  if (now >= ends_) board_.budget = 0;
  publish_at_rate(now);
  const std::uint64_t progress =
      board_.online + board_.subscribed + board_.settled + board_.published + board_.received;
  if (progress != progress_) progress_at_ = now;
  progress_ = progress;
  if (!board_.failure.empty() || done_() || now - progress_at_ > stall_time) {
    context_.loop.stop();
    return;
  }
  context_.loop.call_at(now + tick, *this);
}

void BenchRun::publish_at_rate(Instant now) {
  if (context_.plan.rate == 0 || board_.budget == 0) return;
  const double seconds = static_cast<double>((now - step_began_).count()) * 1e-6;
  const auto due = static_cast<std::uint64_t>(context_.plan.rate * seconds);
  for (std::uint64_t n = board_.published; n < due; ++n) {
    publishers_[n % publishers_.size()]->publish(1);
  }
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

Json BenchRun::deliveries() {
  std::vector<std::uint64_t> published;
  for (const auto& publisher : publishers_) published.push_back(publisher->published());
  DeliveryCounts sum;
  for (std::size_t i = 0; i < subscribers_.size(); ++i) {
    const DeliveryCounts& counts = subscribers_[i]->checker().counts();
    sum.duplicates += counts.duplicates;
    sum.out_of_order += counts.out_of_order;
    sum.foreign += counts.foreign;
    std::vector<std::uint64_t> expected = published;
    if (context_.plan.scenario == Scenario::pairs) {
      std::fill(expected.begin(), expected.end(), 0);
      expected[i] = published[i];
    }
    sum.lost += subscribers_[i]->checker().lost_of(expected);
  }
  flawless_ = sum.lost + sum.duplicates + sum.out_of_order + sum.foreign + board_.refused == 0;
  Json result{{"published", board_.published}, {"refused", board_.refused},
              {"received", board_.received},   {"lost", sum.lost},
              {"duplicates", sum.duplicates},  {"out_of_order", sum.out_of_order},
              {"foreign", sum.foreign}};
  const auto add = [&](const std::string& name, const LatencyHistogram& latency) {
    if (latency.count() == 0) return;
    result[name + "_us_p50"] = latency.percentile(0.50).count();
    result[name + "_us_p99"] = latency.percentile(0.99).count();
  };
  add("ack", board_.acknowledgement);
  if (context_.plan.scenario != Scenario::offline) add("delivery", board_.delivery);
  return result;
}

// With many subscribers a delivery says more than a publish.
void BenchRun::add_delivery_cost(Json& result) const {
  Json& use = result["use"];
  const double each = static_cast<double>(board_.received) /
                      static_cast<double>(std::max<std::uint64_t>(board_.published, 1));
  if (each <= 1) return;
  use["deliveries_per_s"] = std::round(use["per_s"].get<double>() * each);
  use["bench_cpu_us_per_delivery"] = rounded(use["bench_cpu_us"].get<double>() / each);
  if (pid_ == 0) return;
  use["broker_cpu_us_per_delivery"] = rounded(use["broker_cpu_us"].get<double>() / each);
}

// Leaves nothing behind: a clean start ends a session of old.
Result<void> BenchRun::drop_sessions() {
  if (context_.plan.scenario != Scenario::offline) return {};
  const auto left = leave_all(pointers(subscribers_));
  if (!left) return left.error();
  for (const auto& subscriber : subscribers_) {
    ClientSettings clean = subscriber->settings();
    clean.clean_start = true;
    clean.session_expiry_s = 0;
    cleaners_.push_back(std::make_unique<BenchClient>(context_, clean));
  }
  const auto opened = open_all(pointers(cleaners_));
  if (!opened) return opened.error();
  return leave_all(pointers(cleaners_));
}

}  // namespace naru::tools

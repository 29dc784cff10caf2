// BenchRun's part with what it tells in the end, and the scenarios that have steps of their own.
#include <algorithm>
#include <cmath>

#include "broker/mqtt/topics.hpp"
#include "tools/naru/bench_run.hpp"

namespace naru::tools {

using Scenario = BenchPlan::Scenario;

double rounded(double value) { return std::round(value * 100) / 100; }

void add_percentiles(Json& out, const std::string& name, const LatencyHistogram& latency) {
  if (latency.count() == 0) return;
  out[name + "_us_p50"] = latency.percentile(0.50).count();
  out[name + "_us_p99"] = latency.percentile(0.99).count();
  out[name + "_us_p999"] = latency.percentile(0.999).count();
}

Json BenchRun::deliveries() {
  const BenchPlan& plan = context_.plan;
  DeliveryCounts sum;
  for (std::size_t s = 0; s < subscribers_.size(); ++s) {
    const DeliveryChecker& checker = subscribers_[s]->checker();
    sum.duplicates += checker.counts().duplicates;
    sum.out_of_order += checker.counts().out_of_order;
    sum.foreign += checker.counts().foreign;
    const std::string filter = filter_of(plan, s);
    std::vector<std::uint64_t> expected;
    for (std::size_t p = 0; p < publishers_.size(); ++p) {
      const bool gets = mqtt::filter_matches(filter, topics_[p]);
      expected.push_back(gets ? publishers_[p]->published() : 0);
    }
    sum.lost += checker.lost_of(expected);
  }
  // Where connections break QoS 1 repeats, and retained messages of different topics come as the
  // broker has them.
  const bool may_repeat = plan.scenario == Scenario::storm && plan.qos == mqtt::Qos::at_least_once;
  const bool any_order = plan.scenario == Scenario::retained;
  flawless_ = sum.lost + sum.foreign + board_.refused == 0 && (may_repeat || sum.duplicates == 0) &&
              (any_order || sum.out_of_order == 0);
  Json result{{"published", board_.published},
              {"refused", board_.refused},
              {"received", board_.received},
              {"lost", sum.lost},
              {"duplicates", sum.duplicates}};
  if (!any_order) result["out_of_order"] = sum.out_of_order;
  result["foreign"] = sum.foreign;
  add_percentiles(result, "ack", board_.acknowledgement);
  const bool waits = plan.scenario == Scenario::offline || plan.scenario == Scenario::retained;
  if (!waits) add_percentiles(result, "delivery", board_.delivery);
  add_percentiles(result, "connect", board_.connecting);
  add_percentiles(result, "bench_late", board_.lateness);
  return result;
}

Json BenchRun::memory_of_each(double grown, double count) const {
  if (grown > 0) return rounded(grown / count);
  print_error("the broker reused memory: measure a fresh one");
  return nullptr;
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
  if (!context_.plan.keeps_sessions()) return {};
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

// ---- interrupted --------------------------------------------------------------------------------

// What was on its way is neither lost nor delivered, so nothing is said about loss.
Json BenchRun::end_early() {
  const std::string step = step_;
  Json result{{"interrupted", step}};
  if (publishing_since_ != Instant{}) {
    const Duration took = SystemClock{}.now() - publishing_since_;
    const double seconds = std::max(1e-6, static_cast<double>(took.count()) * 1e-6);
    result["seconds"] = rounded(seconds);
    result["per_s"] = std::round(static_cast<double>(board_.settled) / seconds);
  }
  result.update(deliveries());
  result.erase("lost");
  flawless_ = false;
  const auto cleaned = clean_up();
  end_words_ = "interrupted while " + step;
  if (!cleaned) {
    end_words_ += ", and cleaning up failed (" + cleaned.error().text + ")" + cleaning_commands();
  }
  return result;
}

// As at a normal end, whatever step was under way.
Result<void> BenchRun::clean_up() {
  to_open_.clear();
  board_.budget = 0;
  board_.changing = false;
  cleaners_.clear();
  const auto left = leave_all(pointers(subscribers_));
  if (!left) return left.error();
  if (context_.plan.scenario == Scenario::retained) {
    const auto cleared = clear_retained();
    if (!cleared) return cleared.error();
  }
  const auto gone = leave_all(pointers(publishers_));
  if (!gone) return gone.error();
  return drop_sessions();
}

std::string BenchRun::cleaning_commands() const {
  const BenchPlan& plan = context_.plan;
  if (plan.scenario == Scenario::retained) {
    return "; `naru retained clear '" + plan.prefix + "/#' --yes` removes its messages";
  }
  if (!plan.keeps_sessions()) return {};
  const std::string first = subscribers_.front()->settings().client_id;
  return "; `naru clients forget " + first + "` ends a session, and there are " +
         std::to_string(subscribers_.size()) + " of that kind";
}

// ---- retained: many topics, fetched by many at once ---------------------------------------------

Result<Json> BenchRun::run_retained() {
  const auto publishers = open_publishers();
  if (!publishers) return publishers.error();
  auto meter = start_meter();
  if (!meter) return meter.error();
  const auto published = publish_all();
  if (!published) return published.error();
  const auto store = stop_meter(*meter, board_.published);
  if (!store) return store.error();
  for (const auto& each : subscribers_) each->subscribe_later();
  const auto opened = open_all(pointers(subscribers_));
  if (!opened) return opened.error();
  meter = start_meter();
  if (!meter) return meter.error();
  for (const auto& each : subscribers_) each->subscribe();
  const auto delivered = wait_for_deliveries();
  if (!delivered) return delivered.error();
  const auto fetch = stop_meter(*meter, board_.received);
  if (!fetch) return fetch.error();
  for (const auto& each : subscribers_) board_.fetching.add(each->fetch_time());
  Json result{{"store", *store}, {"fetch", *fetch}};
  result.update(deliveries());
  add_percentiles(result, "fetch", board_.fetching);
  const auto left = leave_all(pointers(subscribers_));
  if (!left) return left.error();
  const auto cleared = clear_retained();
  if (!cleared) return cleared.error();
  return result;
}

// Leaves nothing behind.
Result<void> BenchRun::clear_retained() {
  for (const auto& each : publishers_) {
    const std::uint64_t last = each->published();
    for (std::uint64_t number = 1; number <= last; ++number) each->clear(number);
  }
  return wait_until([this] { return board_.settled == board_.published; }, "clearing");
}

// ---- idle: what a connection costs that says nothing --------------------------------------------

Result<Json> BenchRun::run_idle() {
  const auto publishers = open_publishers();
  if (!publishers) return publishers.error();
  // The first tenth is not counted: with it come code and tables that serve all.
  const std::vector<BenchClient*> clients = pointers(subscribers_);
  const auto first = clients.begin() + static_cast<std::ptrdiff_t>(clients.size() / 10);
  const auto warm = open_all({clients.begin(), first});
  if (!warm) return warm.error();
  const auto before = start_meter();
  if (!before) return before.error();
  const auto opened = open_all({first, clients.end()});
  if (!opened) return opened.error();
  const double seconds =
      std::max(1e-6, static_cast<double>((context_.loop.now() - before->began).count()) * 1e-6);
  const auto counted = static_cast<double>(clients.end() - first);
  const auto subscribed = wait_until(
      [this] { return board_.subscribed + board_.dropped >= subscribers_.size(); }, "subscribing");
  if (!subscribed) return subscribed.error();
  auto result = watch_idle(before->usage.memory_bytes, counted);
  if (!result) return result.error();
  (*result)["connects_per_s"] = std::round(counted / seconds);

  // Each hears one message, which shows that it is there.
  board_.budget = subscribers_.size();
  publishers_[0]->publish(context_.plan.window);
  const auto heard = wait_until(
      [this] { return board_.received + board_.dropped >= subscribers_.size(); }, "delivering");
  if (!heard && heard.error().code != Errc::busy) return heard.error();
  std::uint64_t lost = 0, duplicates = 0;
  for (const auto& each : subscribers_) {
    const std::uint64_t received = each->checker().counts().received;
    lost += received == 0;
    duplicates += received > 1 ? received - 1 : 0;
  }
  flawless_ = lost + duplicates + board_.refused + board_.dropped == 0;
  Json counts{{"published", board_.published}, {"refused", board_.refused},
              {"received", board_.received},   {"lost", lost},
              {"duplicates", duplicates},      {"out_of_order", 0},
              {"dropped", board_.dropped}};
  result->update(counts);
  add_percentiles(*result, "connect", board_.connecting);
  add_percentiles(*result, "delivery", board_.delivery);
  return result;
}

Result<Json> BenchRun::watch_idle(std::uint64_t before, double counted) {
  const auto meter = start_meter();
  if (!meter) return meter.error();
  const Instant until = meter->began + context_.plan.hold;
  const auto held = wait_until(
      [this, until] {
        progress_at_ = context_.loop.now();  // Nothing is to move.
        return progress_at_ >= until;
      },
      "holding");
  if (!held) return held.error();
  Json result{{"connections", board_.online - publishers_.size()}};
  if (pid_ == 0) return result;
  const auto now = usage_of(pid_);
  if (!now) return now.error();
  const auto grown = static_cast<double>(now->memory_bytes) - static_cast<double>(before);
  result["bytes_per_connection"] = memory_of_each(grown, counted);
  result["broker_memory_bytes"] = now->memory_bytes;
  result["idle_cores"] =
      rounded(static_cast<double>((now->cpu - meter->usage.cpu).count()) /
              static_cast<double>(std::max<std::int64_t>(context_.plan.hold.count(), 1)));
  return result;
}

// ---- connect: what a connection costs that comes ------------------------------------------------

Result<Json> BenchRun::run_connect() {
  for (const auto& each : subscribers_) each->subscribe_later();
  const std::vector<BenchClient*> clients = pointers(subscribers_);
  if (context_.plan.resume) {  // All come once before, for their tickets.
    const auto opened = open_all(clients);
    if (!opened) return opened.error();
    const auto left = leave_all(clients);
    if (!left) return left.error();
  }
  board_.connecting = {};
  board_.resumed = 0;
  const auto meter = start_meter();
  if (!meter) return meter.error();
  const auto opened = open_all(clients);
  if (!opened) return opened.error();
  const auto use = stop_meter(*meter, clients.size());
  if (!use) return use.error();
  const std::uint64_t lost = context_.plan.resume ? clients.size() - board_.resumed : 0;
  flawless_ = lost == 0;
  Json result{{"use", *use},
              {"connections", clients.size()},
              {"resumed", board_.resumed},
              {"not_resumed", lost}};
  add_percentiles(result, "connect", board_.connecting);
  const auto left = leave_all(clients);
  if (!left) return left.error();
  return result;
}

// ---- storm: everybody comes back at once, and nothing is lost meanwhile -------------------------

Result<Json> BenchRun::run_storm() {
  const auto subscribed = open_subscribers();
  if (!subscribed) return subscribed.error();
  const auto publishers = open_publishers();
  if (!publishers) return publishers.error();
  board_.connecting = {};
  auto meter = start_meter();
  if (!meter) return meter.error();
  begin_publishing();
  Duration reconnecting{0};
  for (std::size_t round = 0; round < context_.plan.rounds; ++round) {
    for (const auto& each : subscribers_) each->vanish();
    const auto returned = open_all(pointers(subscribers_));
    if (!returned) return returned.error();
    reconnecting += context_.loop.now() - step_began_;
  }
  board_.budget = 0;
  const auto settled =
      wait_until([this] { return board_.settled == board_.published; }, "publishing");
  if (!settled) return settled.error();
  const auto delivered = wait_for_deliveries();
  if (!delivered) return delivered.error();
  const std::uint64_t connects = board_.connecting.count();
  const auto use = stop_meter(*meter, connects);
  if (!use) return use.error();
  const double seconds = std::max(1e-6, static_cast<double>(reconnecting.count()) * 1e-6);
  Json result{{"rounds", context_.plan.rounds},
              {"connects", connects},
              {"connects_per_s", std::round(static_cast<double>(connects) / seconds)},
              {"use", *use}};
  result.update(deliveries());
  const auto dropped = drop_sessions();
  if (!dropped) return dropped.error();
  return result;
}

}  // namespace naru::tools

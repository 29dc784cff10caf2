// BenchRun's part with the scenario `filters`: what very many filters cost to have, and what
// publishing costs while they come and go.
//
// One core serves both, so what publishing costs beside the changes is what is left of the broker's
// time when the changes have got what they cost alone:
//     (time of both - changes * time of a change alone) / messages
// All three are measured with the broker as busy as the windows make it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/naru/bench_run.hpp"

namespace naru::tools {
namespace {

double per(double sum, std::uint64_t count) {
  return sum / static_cast<double>(std::max<std::uint64_t>(count, 1));
}

double per_second(std::uint64_t count, double seconds) {
  return std::round(static_cast<double>(count) / std::max(seconds, 1e-6));
}

}  // namespace

Result<Json> BenchRun::run_filters() {
  const auto publishers = open_publishers();
  if (!publishers) return publishers.error();
  for (const auto& each : subscribers_) each->subscribe_later();
  const auto opened = open_all(pointers(subscribers_));
  if (!opened) return opened.error();
  const auto before = start_meter();
  if (!before) return before.error();
  for (const auto& each : subscribers_) each->subscribe();
  const auto subscribed =
      wait_until([this] { return board_.subscribed == subscribers_.size(); }, "subscribing");
  if (!subscribed) return subscribed.error();
  const std::uint64_t filters = subscribers_.size() * (context_.plan.filters + 1);
  const auto use = stop_meter(*before, filters);
  if (!use) return use.error();
  Json result{{"filters", filters}, {"subscribe", *use}};
  if (pid_ != 0) {
    const auto now = usage_of(pid_);
    if (!now) return now.error();
    const double grown =
        static_cast<double>(now->memory_bytes) - static_cast<double>(before->usage.memory_bytes);
    result["bytes_per_filter"] = memory_of_each(grown, static_cast<double>(filters));
  }
  if (context_.plan.phase.count() > 0) {
    const auto phases = run_phases();
    if (!phases) return phases.error();
    result.update(*phases);
  }
  result.update(deliveries());
  return result;
}

Result<Json> BenchRun::run_phases() {
  const auto publishing = run_phase(true, false);
  if (!publishing) return publishing.error();
  const auto changing = run_phase(false, true);
  if (!changing) return changing.error();
  const auto both = run_phase(true, true);
  if (!both) return both.error();
  Json alone{{"messages", publishing->messages},
             {"per_s", per_second(publishing->messages, publishing->seconds)}};
  Json changes{{"changes", changing->changes},
               {"per_s", per_second(changing->changes, changing->seconds)}};
  Json together{{"messages", both->messages},
                {"changes", both->changes},
                {"messages_per_s", per_second(both->messages, both->seconds)},
                {"changes_per_s", per_second(both->changes, both->seconds)}};
  if (pid_ != 0) {
    const double message_us = per(publishing->cpu_us, publishing->messages);
    const double change_us = per(changing->cpu_us, changing->changes);
    const double left = both->cpu_us - change_us * static_cast<double>(both->changes);
    alone["broker_cpu_us"] = rounded(message_us);
    changes["broker_cpu_us"] = rounded(change_us);
    together["broker_cpu_us_per_message"] = rounded(per(left, both->messages));
    together["message_cost_ratio"] = rounded(per(left, both->messages) / message_us);
    const auto memory = [](const Phase& phase) { return static_cast<double>(phase.memory_bytes); };
    together["broker_memory_before_bytes"] = publishing->memory_bytes;
    together["broker_memory_after_bytes"] = both->memory_bytes;
    together["memory_ratio"] = rounded(memory(*both) / memory(*publishing));
  }
  return Json{{"publishing", alone}, {"changing", changes}, {"both", together}};
}

Result<BenchRun::Phase> BenchRun::run_phase(bool publishes, bool changes) {
  const std::uint64_t received = board_.received, changed = board_.changes;
  const auto meter = start_meter();
  if (!meter) return meter.error();
  const Instant until = meter->began + context_.plan.phase;
  board_.changing = changes;
  if (changes) {
    for (std::size_t s = 1; s < subscribers_.size(); ++s) subscribers_[s]->change();
  }
  if (publishes) begin_publishing();
  const auto over = wait_until([this, until] { return context_.loop.now() >= until; }, "loading");
  if (!over) return over.error();
  board_.budget = 0;
  board_.changing = false;
  const auto settled = wait_until(
      [this] {
        return board_.settled == board_.published &&
               std::ranges::none_of(subscribers_, [](const auto& s) { return s->is_changing(); });
      },
      "settling");
  if (!settled) return settled.error();
  const auto delivered = wait_for_deliveries();
  if (!delivered) return delivered.error();
  Phase phase{.messages = board_.received - received,
              .changes = board_.changes - changed,
              .seconds = static_cast<double>((board_.last_event - meter->began).count()) * 1e-6};
  if (pid_ == 0) return phase;
  const auto now = usage_of(pid_);
  if (!now) return now.error();
  phase.cpu_us = static_cast<double>((now->cpu - meter->usage.cpu).count());
  phase.memory_bytes = now->memory_bytes;
  return phase;
}

}  // namespace naru::tools

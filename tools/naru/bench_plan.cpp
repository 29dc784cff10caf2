// tools/naru/bench_plan.cpp
#include "tools/naru/bench_plan.hpp"

namespace naru::tools {
namespace {

using Scenario = BenchPlan::Scenario;

constexpr std::size_t group_size = 10;

std::string level(std::size_t number) { return "/" + std::to_string(number); }

// Four get each message, three of them by a wildcard: one that sees all, one for each publisher,
// another for each, one for each group. Further ones get nothing.
std::string few_filter(const BenchPlan& plan, std::size_t subscriber) {
  const std::size_t groups = (plan.publishers + group_size - 1) / group_size;
  if (subscriber == 0) return plan.prefix + "/#";
  std::size_t n = subscriber - 1;
  if (n < plan.publishers) return plan.prefix + level(n / group_size) + level(n);
  n -= plan.publishers;
  if (n < plan.publishers) return plan.prefix + "/+" + level(n);
  n -= plan.publishers;
  if (n < groups) return plan.prefix + level(n) + "/+";
  return plan.prefix + "/none" + level(subscriber) + "/own";
}

// One sees all; the others a topic, a level of one group, or a number in any group.
std::string mixed_filter(const BenchPlan& plan, std::size_t subscriber) {
  const std::size_t publisher = subscriber % plan.publishers;
  const std::size_t group = publisher / group_size;
  if (subscriber == 0) return plan.prefix + "/#";
  if (subscriber % 3 == 0) return plan.prefix + level(group) + level(publisher);
  if (subscriber % 3 == 1) return plan.prefix + level(group) + "/+";
  return plan.prefix + "/+" + level(publisher);
}

}  // namespace

std::string topic_of(const BenchPlan& plan, std::size_t publisher, std::uint64_t number) {
  if (plan.scenario == Scenario::mixed) {
    return plan.prefix + level(publisher / group_size) + level(publisher);
  }
  // Between the filters that match nothing, so that matching has to look at them.
  if (plan.scenario == Scenario::filters) return plan.prefix + "/none" + level(publisher) + "/live";
  if (plan.split) return plan.prefix + level(publisher % plan.subscribers) + level(publisher);
  std::string topic = plan.prefix + level(publisher);
  if (plan.has_topic_per_message()) topic += level(number);
  return topic;
}

std::string filter_of(const BenchPlan& plan, std::size_t subscriber) {
  if (plan.split) return plan.prefix + level(subscriber) + "/+";
  switch (plan.scenario) {
    case Scenario::pairs: return plan.prefix + level(subscriber);
    case Scenario::storm: return plan.prefix + level(subscriber % plan.publishers);
    case Scenario::retained: return plan.prefix + "/+/+";
    case Scenario::idle: return topic_of(plan, 0, subscriber + 1);
    case Scenario::mixed:
      return plan.few ? few_filter(plan, subscriber) : mixed_filter(plan, subscriber);
    case Scenario::filters:
      return plan.prefix + "/none" + (subscriber == 0 ? "/+/live" : level(subscriber) + "/own");
    case Scenario::fan_in:
    case Scenario::fan_out:
    case Scenario::connect:
    case Scenario::offline: break;
  }
  return plan.prefix + "/+";
}

std::vector<std::string> other_filters_of(const BenchPlan& plan, std::size_t subscriber) {
  std::vector<std::string> filters;
  if (plan.scenario != Scenario::mixed && plan.scenario != Scenario::filters) return filters;
  for (std::size_t n = 0; n < plan.filters; ++n) {
    filters.push_back(other_filter_of(plan, subscriber, n));
  }
  return filters;
}

// Nothing is published to it; of four, one has a wildcard within and one at the end.
std::string other_filter_of(const BenchPlan& plan, std::size_t subscriber, std::size_t n) {
  const std::string& prefix = plan.prefix;
  if (n % 4 == 0 || plan.exact) return prefix + "/none" + level(subscriber) + level(n);
  if (n % 4 == 1) return prefix + "/none/+" + level(subscriber) + level(n);
  if (n % 4 == 2) return prefix + "/none" + level(n) + level(subscriber) + "/x";
  return prefix + "/none" + level(n) + level(subscriber) + "/#";
}

}  // namespace naru::tools

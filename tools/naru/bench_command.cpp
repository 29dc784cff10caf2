// tools/naru/bench_command.cpp: `naru bench`, how fast the broker is, and whether it keeps order.
#include <array>
#include <limits>
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/argument_checks.hpp"
#include "tools/naru/bench_run.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/connection_options.hpp"
#include "tools/naru/open_limits.hpp"
#include "tools/naru/process_usage.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

using Scenario = BenchPlan::Scenario;

struct ScenarioRow {
  Scenario scenario;
  const char* name;
  std::size_t publishers;
  std::size_t subscribers;
  const char* help;
};
constexpr std::array scenario_rows = {
    ScenarioRow{Scenario::fan_in, "fan-in", 1000, 1, "Many publishers, one subscriber"},
    ScenarioRow{Scenario::fan_out, "fan-out", 1, 1000, "One publisher, many subscribers"},
    ScenarioRow{Scenario::pairs, "pairs", 500, 500, "Each publisher has a subscriber of its own"},
    ScenarioRow{Scenario::offline, "offline", 10, 100,
                "Publish to sessions that are away, then let them come back"},
    ScenarioRow{Scenario::mixed, "mixed", 100, 100,
                "Subscribers with many filters, exact ones and wildcards"},
    ScenarioRow{Scenario::retained, "retained", 10, 10,
                "Retain a message on each of --count topics, then fetch all of them"},
    ScenarioRow{Scenario::idle, "idle", 1, 1000,
                "Connections that say nothing: what each costs, and whether it stays"},
    ScenarioRow{Scenario::connect, "connect", 1, 1000,
                "Connections that come: what each costs, plain or with TLS"},
    ScenarioRow{Scenario::filters, "filters", 100, 100,
                "Very many filters: what each takes, and publishing while they change"},
    ScenarioRow{Scenario::storm, "storm", 100, 1000,
                "Everybody reconnects at once, while messages come for them"},
};

constexpr std::uint64_t usual_count = 100'000;

// Else messages only show that somebody is there.
bool publishes(Scenario scenario) {
  return scenario != Scenario::idle && scenario != Scenario::connect;
}
// Else it lasts as long as its rounds or phases do.
bool has_count(Scenario scenario) {
  return scenario != Scenario::storm && scenario != Scenario::filters;
}

struct BenchOptions {
  ConnectionOptions connection;
  BenchPlan plan;
  int qos = 1;
  std::string duration, hold = "10s", phase = "5s";
  int pid = 0;
};

// Of arguments that are good each by itself.
Result<void> check_together(const BenchPlan& plan, int qos) {
  const auto wrong = [](const char* text) { return Error{Errc::invalid, text}; };
  if (plan.open_loop && plan.rate == 0) {
    return wrong("--open-loop needs a --rate: when is a message due?");
  }
  if (plan.open_loop && plan.paced_by_delivery && qos != 0) {
    return wrong("--open-loop waits for nobody: leave --pace-by-delivery out");
  }
  if (plan.scenario == Scenario::filters && plan.filters == 0 && plan.phase.count() > 0) {
    return wrong("without --filters none can change: use --phase 0");
  }
  if (qos == 0 && plan.keeps_sessions()) {
    return wrong("sessions that are away get nothing with QoS 0: use -q 1 or 2");
  }
  if (qos == 0 && plan.has_topic_per_message()) {
    return wrong("this scenario waits for acknowledgements, QoS 0 has none: use -q 1 or 2");
  }
  if (plan.scenario == Scenario::offline && plan.paced_by_delivery) {
    return wrong("offline sessions cannot pace: leave --pace-by-delivery out");
  }
  if (plan.scenario == Scenario::pairs && plan.publishers != plan.subscribers) {
    return wrong("pairs need as many publishers as subscribers");
  }
  return {};
}

Result<BenchPlan> complete_plan(const BenchOptions& options) {
  BenchPlan plan = options.plan;
  plan.qos = static_cast<mqtt::Qos>(options.qos);
  plan.resume = options.connection.tls_files.resume;
  if (options.qos == 0) plan.paced_by_delivery = true;
  if (!options.duration.empty()) {
    const auto duration = parse_duration(options.duration);
    if (!duration) return duration.error();
    if (duration->count() == 0) {
      return Error{Errc::invalid, "--duration 0 leaves no time to publish; say how long, as in 5s"};
    }
    plan.duration = *duration;
    plan.count = 0;
  }
  const auto hold = parse_duration(options.hold);
  if (!hold) return hold.error();
  plan.hold = *hold;
  const auto phase = parse_duration(options.phase);
  if (!phase) return phase.error();
  plan.phase = *phase;
  if (!has_count(plan.scenario)) plan.count = std::numeric_limits<std::uint64_t>::max();
  if (plan.count == 0 && plan.duration.count() == 0) plan.count = usual_count;
  const auto checked = check_together(plan, options.qos);
  if (!checked) return checked.error();
  return plan;
}

Json plan_numbers(const BenchOptions& options, const char* scenario) {
  return {{"scenario", scenario},
          {"publishers", options.plan.publishers},
          {"subscribers", options.plan.subscribers},
          {"qos", options.qos},
          {"payload_bytes", options.plan.payload_size},
          {"window", options.plan.window}};
}

Outcome run_bench(const Invocation& invocation, const BenchOptions& options, const char* scenario) {
  const auto plan = complete_plan(options);
  if (!plan) return plan.error();
  auto settings = client_settings(options.connection);
  if (!settings) return settings.error();
  if (settings->client_id.empty()) settings->client_id = "bench";
  const auto server = server_of(options.connection);
  if (!server) return server.error();
  if (plan->resume && !server->tls) {
    return Error{Errc::invalid, "--resume is about TLS: say --tls, or whom to trust"};
  }
  const auto room = check_room_for(plan->publishers + plan->subscribers);
  if (!room) return room.error();
  if (options.pid != 0) {
    const auto usage = usage_of(options.pid);  // Wrong: said before sessions are left behind.
    if (!usage) return usage.error();
  }
  ClientLoop loop{*server};
  BenchRun bench{loop, *plan, *settings, options.pid};
  const auto result = bench.run();
  if (!result) return result.error();
  if (bench.interrupted()) print_error(bench.end_words());
  Json all = plan_numbers(options, scenario);
  all.update(*result);
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(all);
  } else {
    Table table{{"", ""}};
    add_leaves(table, all, "");
    print(table.text(shape));
  }
  return bench.flawless() ? ExitCode::done : ExitCode::not_done;
}

// How much is published, and how fast.
void add_load_options(CLI::App& bench, BenchOptions& options) {
  BenchPlan& plan = options.plan;
  bench.add_option("--publishers", plan.publishers, "How many publish")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  bench.add_option("-w,--window", plan.window, "Messages under way, of each publisher")
      ->check(CLI::Range(1, 65'535))
      ->capture_default_str();
  if (has_count(plan.scenario)) {
    const std::string otherwise = std::to_string(plan.count > 0 ? plan.count : usual_count);
    CLI::Option* count = bench.add_option("-n,--count", plan.count,
                                          "Messages in all (by default " + otherwise + ")");
    count->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000'000}));
    bench.add_option("--duration", options.duration, "Publish for so long instead")
        ->type_name("DURATION")
        ->excludes(count);
  }
  bench.add_option("--rate", plan.rate, "Messages a second in all; 0 for as fast as it goes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  bench.add_flag(
      "--open-loop", plan.open_loop,
      "Send when the rate says so, whatever is under way, and measure latency from then");
  bench.add_flag("--pace-by-delivery", plan.paced_by_delivery,
                 "A window has room again when a subscriber got the message, not the broker");
}

void add_bench_options(CLI::App& bench, BenchOptions& options) {
  BenchPlan& plan = options.plan;
  if (publishes(plan.scenario)) add_load_options(bench, options);
  bench.add_option("--subscribers", plan.subscribers, "How many subscribe")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  bench.add_option("-q,--qos", options.qos, "Quality of service")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
  bench.add_option("-s,--size", plan.payload_size, "Bytes of each payload")
      ->check(CLI::Range(std::size_t{Mark::size}, std::size_t{10'000'000}))
      ->capture_default_str();
  bench.add_option("--connect-rate", plan.connect_rate, "Connections a second")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  bench.add_option("--prefix", plan.prefix, "Topics begin with this")
      ->check(fault_of_topic)
      ->capture_default_str();
  bench.add_option("--pid", options.pid, "The broker's process, to measure its use of CPU");
  add_connection_options(bench, options.connection);
  bench.get_option("--id")->description("Client ids begin with this (by default bench)");
}

void add_own_options(CLI::App& bench, BenchOptions& options) {
  BenchPlan& plan = options.plan;
  if (plan.scenario == Scenario::mixed || plan.scenario == Scenario::filters) {
    bench.add_option("--filters", plan.filters, "Filters of each subscriber that match nothing")
        ->check(CLI::Range(0, 10'000))
        ->capture_default_str();
  }
  if (plan.scenario == Scenario::mixed) {
    bench.add_flag("--few", plan.few,
                   "Four subscribers get a message, however many there are; the others only have "
                   "filters");
  }
  if (plan.scenario == Scenario::filters) {
    bench.add_flag("--exact", plan.exact, "Filters without wildcards");
    bench
        .add_option("--phase", options.phase,
                    "How long is published, filters changed, and both; 0 for not at all")
        ->type_name("DURATION")
        ->capture_default_str();
  }
  if (plan.scenario == Scenario::fan_in || plan.scenario == Scenario::offline) {
    bench.add_flag("--split", plan.split,
                   "Each subscriber gets the messages of its share of the publishers");
  }
  if (plan.scenario == Scenario::fan_in || plan.scenario == Scenario::fan_out ||
      plan.scenario == Scenario::pairs) {
    bench.add_flag("--lasting", plan.lasting,
                   "Subscribers have persistent sessions, which end with the bench");
  }
  if (plan.scenario == Scenario::connect) {
    bench.add_flag("--resume", options.connection.tls_files.resume,
                   "Come a second time, with the TLS tickets of the first, and measure that");
  }
  if (plan.scenario == Scenario::storm) {
    bench.add_option("--rounds", plan.rounds, "How often everybody reconnects")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
  }
  if (plan.scenario == Scenario::idle) {
    bench.add_option("--hold", options.hold, "How long the connections are watched")
        ->type_name("DURATION")
        ->capture_default_str();
  }
}

}  // namespace

void add_bench_command(CLI::App& app, Invocation& invocation) {
  CLI::App* bench =
      app.add_subcommand("bench", "Measure the broker, and check loss, duplicates and order");
  bench->require_subcommand(1);
  bench->fallthrough();
  leave_h_to_host(*bench);
  bench->footer("Example: naru bench fan-in --publishers 1000 --pid \"$(pidof narud)\"");
  for (const ScenarioRow& row : scenario_rows) {
    CLI::App* scenario = bench->add_subcommand(row.name, row.help);
    leave_h_to_host(*scenario);
    const auto options = std::make_shared<BenchOptions>();
    options->plan.scenario = row.scenario;
    options->plan.publishers = row.publishers;
    options->plan.subscribers = row.subscribers;
    const bool counts = publishes(row.scenario) && has_count(row.scenario);
    scenario->footer(std::string{"Example: naru bench "} + row.name +
                     (counts ? " --count 100000" : " --subscribers 500") +
                     " --pid \"$(pidof narud)\" --json");
    if (row.scenario == Scenario::storm) options->plan.rate = 500;
    if (row.scenario == Scenario::storm) options->plan.connect_rate = 100'000;
    if (row.scenario == Scenario::retained) options->plan.count = 10'000;
    add_bench_options(*scenario, *options);
    add_own_options(*scenario, *options);
    scenario->callback([&invocation, options, name = row.name] {
      invocation.run = [&invocation, options, name] {
        return run_bench(invocation, *options, name);
      };
    });
  }
}

}  // namespace naru::tools

// tools/naru/health_command.cpp: `naru health` and `naru metrics`, for probes and collectors.
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

constexpr Millis probe_time{5'000};
constexpr long service_unavailable = 503;

Outcome run_health(const Invocation& invocation, bool live) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto health = broker->call({.path = live ? "/v1/health/live" : "/v1/health/ready",
                                    .limit = probe_time,
                                    .also_good = service_unavailable});
  if (!health) return health.error();
  const bool good = find_member(*health, live ? "live" : "ready") == Json(true);
  if (invocation.json) {
    print_json(*health);
  } else if (good) {
    print(live ? "live\n" : "ready\n");
  } else {
    for (const Json& reason : find_member(*health, "reasons")) print(cell(reason) + "\n");
  }
  return good ? ExitCode::done : ExitCode::not_done;
}

Outcome run_metrics(const Invocation& invocation) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto text = broker->text({.path = "/v1/metrics"});
  if (!text) return text.error();
  print(*text);
  return ExitCode::done;
}

}  // namespace

void add_health_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      app.add_subcommand("health", "End with 0 when the broker can do its work, with 1 when not");
  const auto live = std::make_shared<bool>(false);
  command->footer("Example: naru health || echo 'take it out of the load balancer'");
  command->add_flag("--live", *live, "Ask only whether it answers at all");
  command->callback([&invocation, live] {
    invocation.run = [&invocation, live] { return run_health(invocation, *live); };
  });
}

void add_metrics_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("metrics", "Print everything counted, for Prometheus");
  command->footer("Example: naru metrics | grep dropped");
  command->callback([&invocation] { invocation.run = [&] { return run_metrics(invocation); }; });
}

}  // namespace naru::tools

// tools/naru/commands.hpp
//
// The commands of naru. Each function adds one to the command line; when it was named there, the
// invocation's run holds what to do. The invocation must outlive the app.
//
// Edge. Lives on the one thread of naru.
#pragma once

#include "tools/naru/exit_code.hpp"

namespace CLI {
class App;
}

namespace naru::tools {

void add_status_command(CLI::App& app, Invocation& invocation);
void add_clients_command(CLI::App& app, Invocation& invocation);
void add_health_command(CLI::App& app, Invocation& invocation);
void add_metrics_command(CLI::App& app, Invocation& invocation);
void add_subscriptions_command(CLI::App& app, Invocation& invocation);
void add_retained_command(CLI::App& app, Invocation& invocation);
void add_store_command(CLI::App& app, Invocation& invocation);
void add_import_command(CLI::App& app, Invocation& invocation);
void add_pub_command(CLI::App& app, Invocation& invocation);
void add_sub_command(CLI::App& app, Invocation& invocation);
void add_cmd_command(CLI::App& app, Invocation& invocation);
void add_stream_command(CLI::App& app, Invocation& invocation);
void add_config_command(CLI::App& app, Invocation& invocation);
void add_rule_command(CLI::App& app, Invocation& invocation);
void add_passwd_command(CLI::App& app, Invocation& invocation);
void add_fleet_command(CLI::App& app, Invocation& invocation);
void add_bench_command(CLI::App& app, Invocation& invocation);
void add_completion_command(CLI::App& app, Invocation& invocation);  // The last: it tells of all.

}  // namespace naru::tools

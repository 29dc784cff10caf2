// tools/naru/main.cpp: the command line of naru.
#include <clocale>
#include <csignal>
#include <exception>

#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

constexpr const char* intro =
    "naru looks after a Naru broker: what it does, who is connected, messages, commands and "
    "streams of telemetry.\n\nFirst steps, with a broker started by `narud --data ./var`:\n"
    "  naru status\n"
    "  naru sub -t 'vehicles/+/telemetry' -v\n"
    "  naru pub -t vehicles/car-0001/telemetry -m '{\"speed\":42}'\n"
    "  naru fleet --vehicles 20\n"
    "`naru COMMAND --help` shows an example of each.\n";

constexpr const char* closing_words =
    "\nExit codes: 0 done, 1 it did not happen, 2 bad arguments, 3 the broker cannot be reached.";

int run(int argc, char** argv) {
  CLI::App app{intro, "naru"};
  Invocation invocation;
  app.set_help_flag("--help", "Show this help and end");
  app.set_version_flag("--version", std::string{"naru " NARU_VERSION});
  app.footer(closing_words);
  app.add_option("--socket", invocation.socket,
                 "The broker's control socket (else $NARU_SOCKET, ./var/naru.sock, "
                 "/run/naru/naru.sock, /var/lib/naru/naru.sock)")
      ->type_name("PATH");
  app.add_flag("--json", invocation.json, "Print JSON: one value, or one per line");
  app.require_subcommand(1);
  app.fallthrough();
  add_status_command(app, invocation);
  add_health_command(app, invocation);
  add_metrics_command(app, invocation);
  add_clients_command(app, invocation);
  add_subscriptions_command(app, invocation);
  add_retained_command(app, invocation);
  add_store_command(app, invocation);
  add_import_command(app, invocation);
  add_pub_command(app, invocation);
  add_sub_command(app, invocation);
  add_cmd_command(app, invocation);
  add_stream_command(app, invocation);
  add_config_command(app, invocation);
  add_rule_command(app, invocation);
  add_passwd_command(app, invocation);
  add_fleet_command(app, invocation);
  add_bench_command(app, invocation);
  add_completion_command(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::bad_arguments);
  }
  const Outcome outcome = invocation.run();
  const auto written = written_out();
  if (!written) print_error(written.error().text);
  if (!outcome) print_error(outcome.error().text);
  if (!outcome) return static_cast<int>(exit_code_of(outcome.error()));
  return static_cast<int>(written ? *outcome : ExitCode::not_done);
}

}  // namespace
}  // namespace naru::tools

int main(int argc, char** argv) {
  std::setlocale(LC_ALL, "C.UTF-8");
  std::signal(SIGPIPE, SIG_IGN);  // A closed pipe is an error of write, not the end of naru.
  try {
    return naru::tools::run(argc, argv);
  } catch (const std::exception& error) {
    naru::tools::print_error(error.what());
    return 1;
  }
}

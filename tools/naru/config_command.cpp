// tools/naru/config_command.cpp: `naru config`.
#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

Outcome run_reload(const Invocation& invocation) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto answer = broker->call({.method = "POST", .path = "/v1/config/reload"});
  if (!answer && answer.error().code == Errc::invalid) {  // The file is wrong, not the arguments.
    print_error(answer.error().text);
    return ExitCode::not_done;
  }
  if (!answer) return answer.error();
  if (output_shape(invocation.json) == Shape::json) {
    print_json(*answer);
    return ExitCode::done;
  }
  std::string text = "the configuration is read again\n";
  for (const Json& problem : find_member(*answer, "problems")) text += cell(problem) + "\n";
  print(text);
  return ExitCode::done;
}

}  // namespace

void add_config_command(CLI::App& app, Invocation& invocation) {
  CLI::App* config = app.add_subcommand("config", "Work with the broker's configuration");
  config->require_subcommand(1);
  config->fallthrough();
  config->footer("Example: naru config reload");
  CLI::App* reload = config->add_subcommand(
      "reload", "Read the configuration and the files it names again, as SIGHUP does");
  reload->footer(
      "Example: naru config reload\n\nWhere a file is wrong everything stays as it was, all errors "
      "are printed, and the exit code is 1.");
  reload->callback([&invocation] { invocation.run = [&] { return run_reload(invocation); }; });
}

}  // namespace naru::tools

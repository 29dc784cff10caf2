// tools/naru/main.cpp: the command line of naru.
#include <algorithm>
#include <clocale>
#include <csignal>
#include <exception>
#include <sstream>

#include <CLI/CLI.hpp>

#include "storage/base/options.hpp"
#include "tools/naru/argument_checks.hpp"
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

std::vector<std::string_view> command_names(const CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(each->get_name());
  }
  return names;
}

// The last command that was named: what is missing or unknown comes behind it.
CLI::App& last_named(CLI::App& app) {
  CLI::App* last = &app;
  while (!last->get_subcommands().empty()) last = last->get_subcommands().back();
  return *last;
}

std::string path_of(const CLI::App& app) {
  const CLI::App* const parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

std::string no_such_command(const CLI::App& parent, const std::string& word) {
  const std::vector<std::string_view> known = command_names(parent);
  const std::string_view near = find_nearest(word, known);
  std::string text = "there is no command " + in_quotes(word);
  if (!near.empty()) return text + "; did you mean '" + std::string{near} + "'?";
  return text + "; `" + path_of(parent) + " --help` lists them";
}

// Nothing, or what to say of a command that is unknown, or missing where no help was asked for.
std::string fault_of_command(CLI::App& app, bool asked_for_help) {
  const CLI::App& last = last_named(app);
  if (last.get_require_subcommand_min() == 0) return {};
  // A word that nobody took; those of options come before it.
  const std::vector<std::string> words = app.remaining(true);
  const auto word = std::ranges::find_if(words, [](const auto& w) { return !w.starts_with('-'); });
  if (word != words.end()) return no_such_command(last, *word);
  if (!words.empty() || asked_for_help) return {};
  std::string text = "say what to do:";
  for (const std::string_view name : command_names(last)) text.append(" ").append(name);
  return text + "; `" + path_of(last) + " --help` explains";
}

// Help and version go to stdout, as far as that can be written; what is wrong to stderr.
int end_of_parsing(CLI::App& app, const CLI::ParseError& error) {
  constexpr auto wrong = static_cast<int>(ExitCode::bad_arguments);
  const bool asked = error.get_exit_code() == 0;
  const std::string fault = fault_of_command(app, asked);
  if (!fault.empty()) {
    if (app.remaining(true).empty() && app.get_subcommands().empty()) {
      std::fputs(app.help().c_str(), stderr);  // naru alone.
    } else {
      print_error(fault);
    }
    return wrong;
  }
  std::ostringstream out, err;
  app.exit(error, out, err);
  std::fputs(err.str().c_str(), stderr);
  if (!asked) return wrong;
  print(out.str());
  const auto written = written_out();
  if (!written) print_error(written.error().text);
  return static_cast<int>(written ? ExitCode::done : ExitCode::not_done);
}

// `help COMMAND` is `COMMAND --help`. The last word comes first, as CLI11 wants it.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> words{argv + std::min(argc, 1), argv + argc};
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  std::ranges::reverse(words);
  return words;
}

int run(int argc, char** argv) {
  CLI::App app{intro, "naru"};
  Invocation invocation;
  app.set_help_flag("-h,--help", "Show this help and end");
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
    app.parse(arguments_of(argc, argv));
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(app, error);
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

// tools/naru/config_command.cpp: `naru config`, a configuration before and while it is in force.
#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>

#include "broker/app/config_check.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/config_values.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

using broker::Problem;

constexpr long file_is_wrong = 422;  // The status of it.
constexpr const char* usual_file = "/etc/naru/naru.conf";

Outcome run_reload(const Invocation& invocation) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto answer =
      broker->call({.method = "POST", .path = "/v1/config/reload", .also_good = file_is_wrong});
  if (!answer) return answer.error();
  const Json refusal = find_member(*answer, "error");
  const ExitCode code = refusal.is_null() ? ExitCode::done : ExitCode::not_done;
  if (output_shape(invocation.json) == Shape::json) {
    print_json(*answer);
    return code;
  }
  if (refusal.is_string()) {
    print_error(refusal.get<std::string>());
    return code;
  }
  std::string text = "the configuration is read again\n";
  for (const Json& problem : find_member(*answer, "problems")) text += cell(problem) + "\n";
  print(text);
  return ExitCode::done;
}

bool has_errors(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& each) { return each.kind == Problem::Kind::error; });
}

Outcome run_check(const Invocation& invocation, const std::string& file) {
  const std::vector<Problem> problems = broker::check_config(file);
  const bool good = !has_errors(problems);
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(judgement(file, good, problems));
  } else if (shape == Shape::tabs) {
    Table table{{"KIND", "FILE", "LINE", "WHAT"}};
    for (const Problem& each : problems) {
      table.add({kind_of(each), each.file, each.line == 0 ? "-" : std::to_string(each.line),
                 printable(each.text)});
    }
    print(table.text(shape));
  } else {
    for (const Problem& each : problems) print(to_string(each) + "\n");
    if (good) print("the configuration is good\n");
  }
  return good ? ExitCode::done : ExitCode::bad_arguments;
}

// Rows "global", KEY, VALUE and "listener 1883", KEY, VALUE.
void add_section(Table& table, const std::string& title, const Json& section) {
  for (const auto& [key, value] : section.items()) {
    if (key == "name") continue;
    if (!value.is_array()) table.add({title, key, printable(cell(value))});
    if (value.is_array() && value.empty()) table.add({title, key, "-"});
    if (!value.is_array()) continue;
    for (const Json& each : value) table.add({title, key, printable(cell(each))});
  }
}

Outcome run_dump(const Invocation& invocation, const std::string& file) {
  const auto outcome = broker::load_config(file);
  if (!outcome.ok()) {
    print_problems(file, outcome.problems, invocation.json);
    return ExitCode::bad_arguments;
  }
  const Json values = config_values(outcome.config);
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(values);
    return ExitCode::done;
  }
  Table table{{"SECTION", "KEY", "VALUE"}};
  add_section(table, "global", values["global"]);
  const std::pair<const char*, const char*> lists[] = {
      {"listeners", "listener "}, {"streams", "stream "}, {"rules", "rule "}};
  for (const auto& [list, title] : lists) {
    for (const Json& each : values[list]) {
      add_section(table, title + each["name"].get<std::string>(), each);
    }
  }
  print(table.text(shape));
  return ExitCode::done;
}

Outcome run_reference(const Invocation& invocation) {
  if (invocation.json) {
    print_json({{"markdown", broker::reference_page()}});
  } else {
    print(broker::reference_page());
  }
  return ExitCode::done;
}

CLI::App* add_on_file(CLI::App& config, Invocation& invocation, const char* name, const char* help,
                      Outcome (*run)(const Invocation&, const std::string&)) {
  CLI::App* command = config.add_subcommand(name, help);
  const auto file = std::make_shared<std::string>(usual_file);
  command->add_option("file", *file, "The configuration")->type_name("FILE")->capture_default_str();
  command->callback([&invocation, file, run] {
    invocation.run = [&invocation, file, run] { return run(invocation, *file); };
  });
  return command;
}

}  // namespace

void add_config_command(CLI::App& app, Invocation& invocation) {
  CLI::App* config =
      app.add_subcommand("config", "Check, print, explain and reload configurations");
  config->require_subcommand(1);
  config->fallthrough();
  config->footer("Example: naru config check /etc/naru/naru.conf && naru config reload");
  add_on_file(*config, invocation, "check", "Name all that is wrong with a configuration file",
              run_check)
      ->footer(
          "Example: naru config check /etc/naru/naru.conf\n\nPassword, ACL and certificate files "
          "that it names are read, too. In a pipe: kind, file, line, what, a problem a line. Exit "
          "code 0 when it is good, perhaps with notices, and 2 when it is not.");
  add_on_file(*config, invocation, "dump", "Print every option with the value in force", run_dump)
      ->footer(
          "Example: naru config dump naru.conf | grep max_\n\nSection, key and value; what is not "
          "set is -. Nothing secret is shown.");
  CLI::App* reference =
      config->add_subcommand("reference", "Explain every option, as a page in Markdown");
  reference->footer("Example: naru config reference | less");
  reference->callback(
      [&invocation] { invocation.run = [&] { return run_reference(invocation); }; });
  CLI::App* reload = config->add_subcommand(
      "reload", "Read the configuration and the files it names again, as SIGHUP does");
  reload->footer(
      "Example: naru config reload\n\nWhere a file is wrong everything stays as it was, all errors "
      "are printed, and the exit code is 1.");
  reload->callback([&invocation] { invocation.run = [&] { return run_reload(invocation); }; });
}

}  // namespace naru::tools

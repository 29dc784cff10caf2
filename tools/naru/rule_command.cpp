// tools/naru/rule_command.cpp: `naru rule`, trying rules before they are in force.
#include <iostream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "broker/app/config_file.hpp"
#include "tools/naru/argument_checks.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/config_values.hpp"
#include "tools/naru/file_argument.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/rule_trial.hpp"

namespace naru::tools {
namespace {

struct RuleOptions {
  std::string config = "/etc/naru/naru.conf";
  std::string topic;
  std::string client_id = "tester";
  std::string text, file;
  bool has_text = false;
};

Result<Bytes> read_payload(const RuleOptions& options) {
  if (options.has_text) return options.text;
  if (options.file.empty()) return Bytes{std::istreambuf_iterator<char>{std::cin}, {}};
  return read_file(options.file);
}

Json verdict_json(const RuleVerdict& verdict) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json{} : Json(text); };
  return {{"rule", verdict.rule},
          {"matched", !verdict.filter.empty()},
          {"filter", or_null(verdict.filter)},
          {"stream", or_null(verdict.stream)},
          {"key", or_null(verdict.key)},
          {"dead_letter", or_null(verdict.note)},
          {"reason", or_null(verdict.note_text)}};
}

void show(const std::vector<RuleVerdict>& verdicts, bool json) {
  const Shape shape = output_shape(json);
  if (shape == Shape::json) {
    Json list = Json::array();
    for (const RuleVerdict& each : verdicts) list.push_back(verdict_json(each));
    print_json(list);
    return;
  }
  Table table{{"RULE", "FILTER", "STREAM", "KEY", "WHY"}};
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : printable(text); };
  for (const RuleVerdict& each : verdicts) {
    std::string why = each.note;
    if (!each.note_text.empty()) why += ": " + each.note_text;
    if (each.filter.empty()) why = "no filter matches the topic";
    table.add(
        {each.rule, or_dash(each.filter), or_dash(each.stream), or_dash(each.key), or_dash(why)});
  }
  print(table.text(shape));
}

Outcome run_test(const Invocation& invocation, const RuleOptions& options) {
  const auto outcome = broker::load_config(options.config);
  if (!outcome.ok()) {
    print_problems(options.config, outcome.problems, invocation.json);
    return ExitCode::bad_arguments;
  }
  if (outcome.config.rules.empty()) {
    return Error{Errc::invalid, options.config + " has no rule: add a section 'rule NAME'"};
  }
  const auto payload = read_payload(options);
  if (!payload) return payload.error();
  storage::MessageView message;
  message.sender = options.client_id;
  message.topic = options.topic;
  message.payload = *payload;
  const auto verdicts = try_rules(outcome.config, message);
  if (!verdicts) return verdicts.error();
  show(*verdicts, invocation.json);
  bool taken = false, dead = false;
  for (const RuleVerdict& each : *verdicts) {
    taken = taken || !each.filter.empty();
    dead = dead || !each.note.empty();
  }
  return taken && !dead ? ExitCode::done : ExitCode::not_done;
}

}  // namespace

void add_rule_command(CLI::App& app, Invocation& invocation) {
  CLI::App* rule = app.add_subcommand("rule", "Try the rules of a configuration");
  rule->require_subcommand(1);
  rule->fallthrough();
  rule->footer("Example: naru rule test -t vehicles/car-0001/telemetry -m '{\"speed\":42}'");
  CLI::App* test = rule->add_subcommand("test", "What each rule makes of a message; no broker");
  const auto options = std::make_shared<RuleOptions>();
  test->footer(
      "Example: naru rule test --config naru.conf -t report/7 -m "
      "'{\"device_no\":\"A7\"}'\n\nPrints "
      "for each rule the filter that matched, the stream and the key, or why the message is a dead "
      "letter. Without -m and -f the payload is read from standard input. Exit code 0 when a rule "
      "takes the message, 1 when none does or it is a dead letter, 2 when the configuration is "
      "wrong.");
  test->add_option("-c,--config", options->config, "The configuration with the rules")
      ->type_name("FILE")
      ->capture_default_str();
  test->add_option("-t,--topic", options->topic, "The message's topic")
      ->required()
      ->check(fault_of_topic);
  CLI::Option* text = test->add_option("-m,--message", options->text, "Its payload");
  test->add_option("-f,--file", options->file, "A file with its payload")
      ->type_name("FILE")
      ->excludes(text);
  test->add_option("-i,--id", options->client_id, "The id of the client that publishes it")
      ->type_name("CLIENT_ID")
      ->capture_default_str();
  test->callback([&invocation, options, text] {
    options->has_text = text->count() > 0;
    invocation.run = [&invocation, options] { return run_test(invocation, *options); };
  });
}

}  // namespace naru::tools

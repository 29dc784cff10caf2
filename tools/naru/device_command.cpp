// tools/naru/device_command.cpp: `naru cmd`, commands to devices and what became of them.
#include <algorithm>
#include <array>
#include <memory>

#include <CLI/CLI.hpp>

#include "storage/base/clock.hpp"
#include "tools/naru/absence.hpp"
#include "tools/naru/argument_checks.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr Seconds poll_wait{30};
constexpr Millis expiry_grace{5'000};  // The end "expired" may come a little late.

struct SendOptions {
  std::string device;
  std::string name;
  std::string payload;
  std::string expires = "60s";
  std::string id;
  std::string timeout;
  bool wait = false;
};

struct CommandOptions {
  std::string device;
  std::string id;
};

std::string commands_path(const std::string& device) {
  return "/v1/devices/" + url_encode(device) + "/commands";
}

bool is_end(std::string_view state) {
  constexpr std::array<std::string_view, 6> ends = {"succeeded", "failed",    "rejected",
                                                    "expired",   "cancelled", "superseded"};
  return std::find(ends.begin(), ends.end(), state) != ends.end();
}

std::string text_of(const Json& value, std::string_view path) {
  const Json member = find_member(value, path);
  return member.is_string() ? member.get<std::string>() : std::string{};
}

std::string time_cell(const Json& value, std::string_view path) {
  const Json at = find_member(value, path);
  return at.is_number() ? format_time(at.get<WallMillis>()) : "-";
}

// Prints the states from number `shown` on; returns how many there are now.
std::size_t print_states(const Json& command, std::size_t shown, bool json) {
  const Json states = find_member(command, "states");
  for (std::size_t i = shown; i < states.size(); ++i) {
    const std::string state = text_of(states[i], "state");
    if (json) {
      Json line = states[i];
      line["id"] = find_member(command, "id");
      if (is_end(state)) line["result"] = find_member(command, "result");
      print_json(line);
      continue;
    }
    const Json result = is_end(state) ? find_member(command, "result") : Json();
    print(time_cell(states[i], "at") + "  " + state +
          (result.is_null() ? "" : "  " + cell(result)) + "\n");
  }
  return states.size();
}

// Follows a command until its end or until the time is up, over restarts of the broker.
Outcome follow_command(ControlClient& broker, Json command, Instant deadline, bool json) {
  const SystemClock clock;
  Absence absence;
  std::size_t shown = 0;
  while (true) {
    shown = print_states(command, shown, json);
    const std::string state = text_of(command, "state");
    if (is_end(state)) return state == "succeeded" ? ExitCode::done : ExitCode::not_done;
    const Duration left = deadline - clock.now();
    if (left.count() <= 0) {
      return Error{Errc::refused, "the command is still " + state + ", and the time is up; " +
                                      "see `naru cmd show " + text_of(command, "device") + " " +
                                      text_of(command, "id") + "`"};
    }
    const auto wait = std::clamp(std::chrono::ceil<Seconds>(left), Seconds{1}, poll_wait);
    const auto next = broker.call({.path = commands_path(text_of(command, "device")) + "/" +
                                           url_encode(text_of(command, "id")) +
                                           "?wait=" + std::to_string(wait.count()) +
                                           "&version=" + find_member(command, "version").dump(),
                                   .wait = wait});
    if (!next && absence.outlast(next.error(), deadline)) continue;
    if (!next) return next.error();
    absence.over();
    command = *next;
  }
}

Result<Json> command_body(const SendOptions& options, Millis expires) {
  Json body;
  body["name"] = options.name;
  if (!options.payload.empty()) {
    Json payload = Json::parse(options.payload, nullptr, false);
    if (payload.is_discarded()) {
      return Error{Errc::invalid, "'" + options.payload +
                                      "' is not JSON; a text needs its own quotes: '\"text\"'"};
    }
    body["payload"] = std::move(payload);
  }
  body["expires_s"] = std::max<std::int64_t>(std::chrono::ceil<Seconds>(expires).count(), 1);
  if (!options.id.empty()) body["id"] = options.id;
  return body;
}

Outcome run_send(const Invocation& invocation, const SendOptions& options) {
  const auto expires = parse_duration(options.expires);
  if (!expires) return expires.error();
  if (expires->count() == 0) {
    return Error{Errc::invalid, "--expires 0 leaves the device no time; give it some, such as 60s"};
  }
  const auto timeout = options.timeout.empty() ? Result<Millis>{*expires + expiry_grace}
                                               : parse_duration(options.timeout);
  if (!timeout) return timeout.error();
  const auto body = command_body(options, *expires);
  if (!body) return body.error();
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const Instant deadline = SystemClock{}.now() + *timeout;
  const auto command =
      broker->call({.method = "POST", .path = commands_path(options.device), .body = body->dump()});
  if (!command) return command.error();
  const bool json = output_shape(invocation.json) == Shape::json;
  if (options.wait) return follow_command(*broker, *command, deadline, json);
  if (json) {
    print_json(*command);
  } else {
    print(text_of(*command, "id") + "\t" + text_of(*command, "state") + "\n");
  }
  return ExitCode::done;
}

Outcome run_list(const Invocation& invocation, const CommandOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto answer = broker->get(commands_path(options.device));
  if (!answer) return answer.error();
  const Json commands = find_member(*answer, "commands");
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(commands);
    return ExitCode::done;
  }
  Table table{{"ID", "NAME", "STATE", "CREATED", "EXPIRES", "RESULT"}};
  for (const Json& command : commands) {
    table.add({text_of(command, "id"), text_of(command, "name"), text_of(command, "state"),
               time_cell(command, "created_at"), time_cell(command, "expires_at"),
               member_cell(command, "result")});
  }
  print(table.text(shape));
  return ExitCode::done;
}

// Shows or, with DELETE, cancels a command.
Outcome run_one(const Invocation& invocation, const CommandOptions& options, const char* method) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto command = broker->call(
      {.method = method, .path = commands_path(options.device) + "/" + url_encode(options.id)});
  if (!command) {
    const std::string remedy = "`naru cmd list " + printable(options.device) + "` lists them";
    return with_remedy(command.error(), remedy.c_str());
  }
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(*command);
    return ExitCode::done;
  }
  Table table{{"", ""}};
  for (const char* path : {"id", "device", "name", "payload", "state"}) {
    table.add({path, member_cell(*command, path)});
  }
  table.add({"expires", time_cell(*command, "expires_at")});
  for (const Json& state : find_member(*command, "states")) {
    table.add({time_cell(state, "at"), text_of(state, "state")});
  }
  table.add({"result", member_cell(*command, "result")});
  print(table.text(shape));
  return ExitCode::done;
}

void add_send(CLI::App& parent, Invocation& invocation) {
  CLI::App* send = parent.add_subcommand("send", "Send a command to a device");
  const auto options = std::make_shared<SendOptions>();
  send->footer("Example: naru cmd send car-0001 unlock '{\"door\":\"driver\"}' --wait");
  send->add_option("device", options->device, "The device's client id")
      ->required()
      ->check(refuse_empty);
  send->add_option("name", options->name, "What it shall do, such as unlock")
      ->required()
      ->check(refuse_empty);
  send->add_option("payload", options->payload, "Details, as JSON")->type_name("JSON");
  send->add_option("--expires", options->expires, "Give up when the device did not get it by then")
      ->capture_default_str();
  send->add_option("--id", options->id, "Your own id: sending it twice is one command")
      ->type_name("KEY");
  send->add_flag("--wait", options->wait,
                 "Print each state as it comes; end with 0 on succeeded, else 1");
  send->add_option("--timeout", options->timeout,
                   "Wait at most so long (by default a little longer than --expires)");
  send->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_send(invocation, *options); };
  });
}

void add_one(CLI::App& parent, Invocation& invocation, const char* name, const char* help,
             const char* method) {
  CLI::App* command = parent.add_subcommand(name, help);
  const auto options = std::make_shared<CommandOptions>();
  command->footer(std::string{"Example: naru cmd "} + name + " car-0001 0123456789abcdef");
  command->add_option("device", options->device, "The device's client id")
      ->required()
      ->check(refuse_empty);
  command->add_option("id", options->id, "The command's id")->required()->check(refuse_empty);
  command->callback([&invocation, options, method] {
    invocation.run = [&invocation, options, method] {
      return run_one(invocation, *options, method);
    };
  });
}

}  // namespace

void add_cmd_command(CLI::App& app, Invocation& invocation) {
  CLI::App* cmd = app.add_subcommand("cmd", "Send commands to devices and see what became of them");
  cmd->require_subcommand(1);
  cmd->fallthrough();
  cmd->footer("Example: naru cmd send car-0001 unlock --wait");
  add_send(*cmd, invocation);
  CLI::App* list = cmd->add_subcommand("list", "List a device's commands, newest last");
  const auto options = std::make_shared<CommandOptions>();
  list->footer("Example: naru cmd list car-0001");
  list->add_option("device", options->device, "The device's client id")
      ->required()
      ->check(refuse_empty);
  list->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_list(invocation, *options); };
  });
  add_one(*cmd, invocation, "show", "Show one command with its states", "GET");
  add_one(*cmd, invocation, "cancel", "Cancel a command whose end is not known yet", "DELETE");
}

}  // namespace naru::tools

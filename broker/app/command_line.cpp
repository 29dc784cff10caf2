#include "broker/app/command_line.hpp"

#include <algorithm>
#include <iostream>

#include <CLI/CLI.hpp>

#include "broker/app/config_check.hpp"
#include "broker/app/config_notices.hpp"
#include "broker/http/metrics.hpp"

namespace naru::broker {

namespace {

// What a node does that nobody configured: it listens to this machine alone and keeps telemetry.
constexpr std::string_view embedded_configuration = R"(
stream telemetry
retention 48h

rule telemetry
from vehicles/+/telemetry
to telemetry
key ${topic[1]}
)";

struct Arguments {
  std::string file, data, port_file, api_socket;
  std::vector<std::string> listen;
  bool check = false, dump = false, metrics = false;
};

void describe(CLI::App& app, Arguments& arguments) {
  app.description(
      "narud: an MQTT broker for vehicles and things. Acknowledged means on disk.\n"
      "Example: narud -c /etc/naru/naru.conf --data /var/lib/naru");
  app.set_version_flag("--version", std::string{"narud "} + NARU_VERSION);
  app.add_option("-c,--config", arguments.file, "Configuration in mosquitto.conf's syntax");
  app.add_option("--data", arguments.data, "Data directory (persistence_location); ./var else");
  app.add_option(
      "--listen", arguments.listen,
      "[ADDRESS:]PORT, or auto (or 0) for a free port, in place of the configured listeners");
  app.add_option("--port-file", arguments.port_file,
                 "Written when everything listens: lines of ADDRESS, tab, PORT");
  app.add_option("--api-socket", arguments.api_socket, "Unix socket of the control interface");
  app.add_flag("--check", arguments.check, "Only check the configuration: exit code 0 or 2");
  app.add_flag("--dump", arguments.dump, "Print the effective configuration and end");
  app.add_flag("--metrics-reference", arguments.metrics,
               "Print the page about metrics, in Markdown, and end");
}

// [ADDRESS:]PORT or auto, as a line of configuration.
std::string listener_line(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  if (port == "0") port = "auto";  // In a configuration 0 stands before the path of a socket.
  std::string address = colon == std::string::npos ? "127.0.0.1" : text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  return "listener " + port + ' ' + address + '\n';
}

bool is_loopback(std::string_view address) {
  return address == "127.0.0.1" || address == "::1" || address == "localhost";
}

bool print_problems(const ConfigOutcome& outcome) {
  for (const Problem& problem : outcome.problems) std::cerr << to_string(problem) << '\n';
  return outcome.ok();
}

ConfigOutcome load(const Arguments& arguments) {
  if (!arguments.file.empty()) return load_config(arguments.file);
  std::string text{embedded_configuration};
  return parse_config({"(built in)", text});
}

// In place of those of the file; what was said of them does not count any more.
void replace_listeners(const Arguments& arguments, ConfigOutcome& outcome) {
  std::string lines;
  for (const std::string& each : arguments.listen) lines += listener_line(each);
  const ConfigOutcome listeners = parse_config({"--listen", lines});
  auto& problems = outcome.problems;
  if (!listeners.ok()) {
    problems.insert(problems.end(), listeners.problems.begin(), listeners.problems.end());
    return;
  }
  Config& config = outcome.config;
  const std::string place = arguments.file.empty() ? "--listen" : arguments.file;
  const auto before = notices_of_listeners(config, place);
  std::erase_if(problems, [&](const Problem& each) {
    return std::find(before.begin(), before.end(), each) != before.end();
  });
  config.listeners = listeners.config.listeners;
  // Where nobody has said who may come in, only this machine may.
  if (!config.places.by_key.contains("allow_anonymous")) {
    for (ListenerConfig& each : config.listeners) {
      each.allow_anonymous = is_loopback(each.address) && !proves_users(config, each);
    }
  }
  for (Problem& each : notices_of_listeners(config, place)) problems.push_back(std::move(each));
}

// What file and arguments say together.
ConfigOutcome make_config(const Arguments& arguments) {
  ConfigOutcome outcome = load(arguments);
  if (!outcome.ok()) return outcome;
  Config& config = outcome.config;
  if (!arguments.listen.empty()) {
    replace_listeners(arguments, outcome);
    if (!outcome.ok()) return outcome;
  }
  if (!arguments.data.empty()) set_data_directory(config, arguments.data);
  if (!arguments.api_socket.empty()) config.api_socket = arguments.api_socket;
  if (!arguments.port_file.empty()) config.port_file = arguments.port_file;
  return outcome;
}

bool print_file_problems(const Config& config) {
  const NamedFiles found = check_named_files(config);
  for (const std::string& fault : found.faults) std::cerr << fault << '\n';
  for (const Problem& notice : found.notices) std::cerr << to_string(notice) << '\n';
  return found.faults.empty();
}

}  // namespace

CommandLine read_command_line(int argc, char** argv) {
  CLI::App app;
  Arguments arguments;
  describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return {std::nullopt, {}, code == 0 ? 0 : 2};
  }
  if (arguments.metrics) {
    std::cout << metrics_reference();
    return {std::nullopt, {}, 0};
  }
  ConfigOutcome outcome = make_config(arguments);
  if (!print_problems(outcome)) return {std::nullopt, {}, 2};
  if (arguments.dump) {
    std::cout << dump(outcome.config);
    return {std::nullopt, {}, 0};
  }
  if (!print_file_problems(outcome.config)) return {std::nullopt, {}, 2};
  if (arguments.check) {
    std::cout << "the configuration is good\n";
    return {std::nullopt, {}, 0};
  }
  return {std::move(outcome.config), [arguments] { return make_config(arguments); }, 0};
}

}  // namespace naru::broker

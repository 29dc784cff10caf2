// tools/naru/retained_command.cpp: `naru retained`, looking at retained messages and clearing them.
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/pages.hpp"

namespace naru::tools {
namespace {

struct RetainedOptions {
  std::string filter;
  std::uint64_t limit = no_limit;
  bool yes = false;
};

void print_retained(const Json& list, bool json) {
  print_list(list,
             {{"TOPIC", "topic"},
              {"BYTES", "payload_bytes"},
              {"QOS", "qos"},
              {"CLIENT", "client_id"},
              {"RECEIVED", "received_at"},
              {"EXPIRES", "expires_at"}},
             json);
}

Outcome run_list(const Invocation& invocation, const RetainedOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  std::string path = "/v1/retained?";
  if (!options.filter.empty()) path += "filter=" + url_encode(options.filter) + "&";
  const auto list =
      collect_pages(*broker, {.path = path, .name = "retained", .limit = options.limit});
  if (!list) return list.error();
  print_retained(*list, invocation.json);
  return ExitCode::done;
}

// Without --yes only what would be cleared is printed, and the exit code is 1: nothing happened.
Outcome run_clear(const Invocation& invocation, const RetainedOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto list =
      collect_pages(*broker, {.method = options.yes ? "DELETE" : "GET",
                              .path = "/v1/retained?filter=" + url_encode(options.filter) + "&",
                              .name = "retained"});
  if (!list) return list.error();
  print_retained(*list, invocation.json);
  if (options.yes || list->empty()) return ExitCode::done;
  print_error("these " + std::to_string(list->size()) +
              " would be cleared; nothing was done without --yes");
  return ExitCode::not_done;
}

}  // namespace

void add_retained_command(CLI::App& app, Invocation& invocation) {
  CLI::App* retained = app.add_subcommand("retained", "Look at retained messages, or clear them");
  retained->require_subcommand(1);
  retained->fallthrough();
  retained->footer("Example: naru retained list 'vehicles/+/state'");
  const auto options = std::make_shared<RetainedOptions>();

  CLI::App* list = retained->add_subcommand("list", "Topics with a retained message");
  list->footer("Example: naru retained list 'vehicles/+/state' --json");
  list->add_option("filter", options->filter, "Only topics that match; else all");
  list->add_option("--limit", options->limit, "At most so many (by default all)")
      ->check(CLI::Range(1, 10'000'000));
  list->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_list(invocation, *options); };
  });

  CLI::App* clear = retained->add_subcommand("clear", "Remove the retained messages that match");
  clear->footer("Example: naru retained clear 'old/#' --yes");
  clear->add_option("filter", options->filter, "Which topics")->required();
  clear->add_flag("--yes", options->yes, "Really; else only print what would be cleared");
  clear->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_clear(invocation, *options); };
  });
}

}  // namespace naru::tools

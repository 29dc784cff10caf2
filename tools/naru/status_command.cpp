// tools/naru/status_command.cpp: `naru status`.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

std::string node_line(const Json& status) {
  const Json uptime = find_member(status, "node.uptime_s");
  std::string line = member_cell(status, "node.id") + ", naru " +
                     member_cell(status, "node.version") + ", " +
                     member_cell(status, "node.shards") + " shards";
  if (uptime.is_number()) line += ", up " + format_duration(Seconds{uptime.get<std::int64_t>()});
  return line;
}

std::string listeners_line(const Json& status) {
  std::string line;
  for (const Json& listener : find_member(status, "listeners")) {
    if (!line.empty()) line += "  ";
    line += member_cell(listener, "address") + ":" + member_cell(listener, "port");
  }
  return line.empty() ? "-" : line;
}

// Each cause by its name: dropped_queue_full is "queue full".
std::string drops_line(const Json& status) {
  constexpr std::string_view prefix = "dropped_";
  std::string line;
  const Json counters = find_member(status, "counters");
  for (const auto& [name, count] : counters.items()) {
    if (!name.starts_with(prefix)) continue;
    std::string cause = name.substr(prefix.size());
    std::replace(cause.begin(), cause.end(), '_', ' ');
    if (!line.empty()) line += ", ";
    line += cell(count) + " " + cause;
  }
  return line;
}

std::string bridge_line(const Json& bridge) {
  const auto at = [&](std::string_view path) { return member_cell(bridge, path); };
  if (at("state") == "removed") {
    return "not in the configuration any more, " + at("queued") + " queued; naru clients forget " +
           at("client_id") + " ends its session";
  }
  return at("state") + ", " + at("address") + ", " + at("queued") + " queued, " + at("sent") +
         " sent, " + at("received") + " received, " + at("dropped") + " dropped";
}

// The lines a person wants; everything else is in --json and in tab-separated output.
std::string status_for_people(const Json& status) {
  Table table{{"", ""}};
  const auto at = [&](std::string_view path) { return member_cell(status, path); };
  table.add({"health", at("health")});
  for (const Json& problem : find_member(status, "problems")) {
    table.add({"problem", cell(problem)});
  }
  table.add({"node", node_line(status)});
  table.add({"listeners", listeners_line(status)});
  table.add({"connections", at("connections")});
  table.add({"sessions", at("sessions") + " (" + at("sessions_connected") + " connected)"});
  table.add({"subscriptions", at("subscriptions")});
  table.add({"retained", at("retained")});
  table.add({"queued messages", at("queued_messages")});
  table.add({"delayed messages", at("delayed_messages")});
  table.add({"publishes in", at("counters.publishes_in")});
  table.add({"deliveries out", at("counters.deliveries_out")});
  table.add({"dropped", drops_line(status)});
  table.add({"denied", at("counters.denied_connects") + " connects, " +
                           at("counters.denied_publishes") + " publishes, " +
                           at("counters.denied_subscribes") + " filters, " +
                           at("counters.denied_deliveries") + " deliveries"});
  table.add({"commits", at("commits.commits") + " of " + at("commits.units") + " units, sync p50 " +
                            at("commits.sync_us_p50") + " us, p99 " + at("commits.sync_us_p99") +
                            " us"});
  for (const Json& stream : find_member(status, "streams")) {
    table.add({"stream " + member_cell(stream, "name"),
               member_cell(stream, "records") + " records, " + member_cell(stream, "keys") +
                   " keys, " + member_cell(stream, "bytes") + " bytes"});
  }
  for (const Json& bridge : find_member(status, "bridges")) {
    table.add({"bridge " + member_cell(bridge, "name"), bridge_line(bridge)});
  }
  table.add({"commands", at("commands.open") + " open, " + at("commands.ended") + " ended"});
  return table.text(Shape::aligned);
}

Outcome run_status(const Invocation& invocation) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto status = broker->get("/v1/status");
  if (!status) return status.error();
  switch (output_shape(invocation.json)) {
    case Shape::json: print_json(*status); break;
    case Shape::aligned: print(status_for_people(*status)); break;
    case Shape::tabs: {
      Table table{{"", ""}};
      add_leaves(table, *status, "");
      print(table.text(Shape::tabs));
    }
  }
  return ExitCode::done;
}

}  // namespace

void add_status_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("status", "Show whether the broker is well");
  command->footer("Example: naru status");
  command->callback([&invocation] { invocation.run = [&] { return run_status(invocation); }; });
}

}  // namespace naru::tools

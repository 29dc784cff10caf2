// tools/naru/status_command.cpp: `naru status` and `naru clients`.
#include <algorithm>
#include <array>
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr int page_clients_max = 1000;

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
  table.add({"publishes in", at("counters.publishes_in")});
  table.add({"deliveries out", at("counters.deliveries_out")});
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

struct ClientsOptions {
  std::string client_id;
  int limit = 100;
};

struct ClientColumn {
  const char* title;
  const char* path;
};

constexpr std::array client_columns = {
    ClientColumn{"CLIENT", "client_id"},   ClientColumn{"CONNECTED", "connected"},
    ClientColumn{"PROTOCOL", "protocol"},  ClientColumn{"ADDRESS", "address"},
    ClientColumn{"USER", "user"},          ClientColumn{"SUBSCRIPTIONS", "subscriptions"},
    ClientColumn{"QUEUED", "queued"},      ClientColumn{"IN FLIGHT", "in_flight"},
    ClientColumn{"SINCE", "connected_at"},
};

std::string client_cell(const Json& client, std::string_view path) {
  const Json value = find_member(client, path);
  if (path == "subscriptions") return std::to_string(value.size());
  if (path == "connected") return value == Json(true) ? "yes" : "no";
  if (path != "connected_at") return cell(value);
  const Json connected = find_member(client, "connected");
  const Json since = connected == Json(true) ? value : find_member(client, "disconnected_at");
  return since.is_number() ? format_time(since.get<WallMillis>()) : "-";
}

Outcome show_client(ControlClient& broker, const ClientsOptions& options, Shape shape) {
  const auto client = broker.get("/v1/clients/" + url_encode(options.client_id));
  if (!client) return client.error();
  if (shape == Shape::json) {
    print_json(*client);
    return ExitCode::done;
  }
  Table table{{"", ""}};
  add_leaves(table, *client, "");
  print(table.text(shape));
  return ExitCode::done;
}

Result<Json> collect_clients(ControlClient& broker, int limit) {
  Json clients = Json::array();
  std::string after;
  while (static_cast<int>(clients.size()) < limit) {
    const int page = std::min(limit - static_cast<int>(clients.size()), page_clients_max);
    std::string path = "/v1/clients?limit=" + std::to_string(page);
    if (!after.empty()) path += "&after=" + url_encode(after);
    const auto answer = broker.get(std::move(path));
    if (!answer) return answer.error();
    for (const Json& client : find_member(*answer, "clients")) clients.push_back(client);
    const Json next = find_member(*answer, "next");
    if (!next.is_string()) break;
    after = next.get<std::string>();
  }
  return clients;
}

Outcome run_clients(const Invocation& invocation, const ClientsOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const Shape shape = output_shape(invocation.json);
  if (!options.client_id.empty()) return show_client(*broker, options, shape);
  const auto clients = collect_clients(*broker, options.limit);
  if (!clients) return clients.error();
  if (shape == Shape::json) {
    print_json(*clients);
    return ExitCode::done;
  }
  Table::Row titles;
  for (const ClientColumn& column : client_columns) titles.emplace_back(column.title);
  Table table{std::move(titles)};
  for (const Json& client : *clients) {
    Table::Row row;
    for (const ClientColumn& column : client_columns) {
      row.push_back(client_cell(client, column.path));
    }
    table.add(std::move(row));
  }
  print(table.text(shape));
  return ExitCode::done;
}

}  // namespace

void add_status_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("status", "Show whether the broker is well");
  command->footer("Example: naru status");
  command->callback([&invocation] { invocation.run = [&] { return run_status(invocation); }; });
}

void add_clients_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("clients", "List clients, or show one of them");
  const auto options = std::make_shared<ClientsOptions>();
  command->footer("Example: naru clients car-0001");
  command->add_option("client_id", options->client_id, "Show only this client, in full")
      ->type_name("CLIENT_ID");
  command->add_option("--limit", options->limit, "At most so many clients")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_clients(invocation, *options); };
  });
}

}  // namespace naru::tools

// tools/naru/clients_command.cpp: `naru clients` and `naru subscriptions`.
#include <array>
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/argument_checks.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/pages.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

struct ClientsOptions {
  std::string client_id;
  std::string reason;
  std::string filter, topic;
  std::uint64_t limit = no_limit;
  bool connected = false;
};
using Options = std::shared_ptr<ClientsOptions>;

constexpr std::array client_columns = {
    Column{"CLIENT", "client_id"},   Column{"CONNECTED", "connected"},
    Column{"PROTOCOL", "protocol"},  Column{"ADDRESS", "address"},
    Column{"USER", "user"},          Column{"SUBSCRIPTIONS", "subscriptions"},
    Column{"QUEUED", "queued"},      Column{"IN FLIGHT", "in_flight"},
    Column{"SINCE", "connected_at"},
};

constexpr const char* who_is_there = "`naru clients` lists those that are there";

std::string client_cell(const Json& client, std::string_view path) {
  const Json value = find_member(client, path);
  if (path == "subscriptions") return std::to_string(value.size());
  if (path == "connected") return value == Json(true) ? "yes" : "no";
  if (path != "connected_at") return cell(value);
  const Json connected = find_member(client, "connected");
  const Json since = connected == Json(true) ? value : find_member(client, "disconnected_at");
  return since.is_number() ? format_time(since.get<WallMillis>()) : "-";
}

std::string client_path(const std::string& client_id) {
  return "/v1/clients/" + url_encode(client_id);
}

// What is shown of one client: times for people.
Json readable(Json client) {
  for (const char* name : {"connected_at", "disconnected_at"}) {
    if (!client.contains(name)) continue;
    Json& time = client[name];
    if (time.is_number()) time = format_time(time.get<WallMillis>());
  }
  return client;
}

Outcome run_show(const Invocation& invocation, const ClientsOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto client = broker->get(client_path(options.client_id));
  if (!client) return with_remedy(client.error(), who_is_there);
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(*client);
    return ExitCode::done;
  }
  Table table{{"", ""}};
  add_leaves(table, readable(*client), "");
  print(table.text(shape));
  return ExitCode::done;
}

// The sentences alone; also about a client that the broker does not know.
Outcome run_explain(const Invocation& invocation, const ClientsOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto client = broker->get(client_path(options.client_id));
  const bool known = client.has_value();
  if (!known && client.error().code != Errc::not_found) return client.error();
  Json told = known ? find_member(*client, "explain") : Json::array();
  if (!known) {
    told.push_back("It is not connected and has no session: it never came, or its session ended.");
    told.push_back(
        "If it tries and is refused, the log says why: look for denied and its client id.");
  }
  if (output_shape(invocation.json) == Shape::json) {
    print_json({{"client_id", options.client_id}, {"known", known}, {"explanation", told}});
  } else {
    for (const Json& each : told) print(printable(cell(each)) + "\n");
  }
  return known ? ExitCode::done : ExitCode::not_done;
}

Outcome run_list(const Invocation& invocation, const ClientsOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const std::string path =
      std::string{"/v1/clients?"} + (options.connected ? "connected=true&" : "");
  const auto clients =
      collect_pages(*broker, {.path = path, .name = "clients", .limit = options.limit});
  if (!clients) return clients.error();
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(*clients);
    return ExitCode::done;
  }
  Table::Row titles;
  for (const Column& column : client_columns) titles.emplace_back(column.title);
  Table table{std::move(titles)};
  for (const Json& client : *clients) {
    Table::Row row;
    for (const Column& column : client_columns) row.push_back(client_cell(client, column.path));
    table.add(std::move(row));
  }
  print(table.text(shape));
  return ExitCode::done;
}

Outcome run_kick(const Invocation& invocation, const ClientsOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  std::string path = client_path(options.client_id) + "/connection";
  if (!options.reason.empty()) path += "?reason=" + url_encode(options.reason);
  const auto answer = broker->call({.method = "DELETE", .path = std::move(path)});
  if (!answer) return with_remedy(answer.error(), who_is_there);
  if (invocation.json) {
    print_json(*answer);
  } else {
    print(printable(options.client_id) + " was disconnected; it may come back\n");
  }
  return ExitCode::done;
}

Outcome run_forget(const Invocation& invocation, const ClientsOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto answer =
      broker->call({.method = "DELETE", .path = client_path(options.client_id) + "/session"});
  if (!answer) return with_remedy(answer.error(), who_is_there);
  if (invocation.json) {
    print_json(*answer);
  } else {
    print("the session of " + printable(options.client_id) + " has ended, with " +
          member_cell(*answer, "queued") + " queued messages\n");
  }
  return ExitCode::done;
}

Outcome run_subscriptions(const Invocation& invocation, const ClientsOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  std::string path = "/v1/subscriptions?";
  if (!options.filter.empty()) path += "filter=" + url_encode(options.filter) + "&";
  if (!options.topic.empty()) path += "topic=" + url_encode(options.topic) + "&";
  if (!options.client_id.empty()) path += "client=" + url_encode(options.client_id) + "&";
  const auto list =
      collect_pages(*broker, {.path = path, .name = "subscriptions", .limit = options.limit});
  if (!list) return list.error();
  print_list(*list,
             {{"CLIENT", "client_id"},
              {"CONNECTED", "connected"},
              {"FILTER", "filter"},
              {"QOS", "qos"},
              {"NO LOCAL", "no_local"},
              {"ID", "subscription_id"}},
             invocation.json);
  return ExitCode::done;
}

using Run = Outcome (*)(const Invocation&, const ClientsOptions&);

void call_back(CLI::App* command, Invocation& invocation, const Options& options, Run run) {
  command->callback([&invocation, options, run] {
    invocation.run = [&invocation, options, run] { return run(invocation, *options); };
  });
}

void add_limit(CLI::App* command, const Options& options, const char* help) {
  command->add_option("--limit", options->limit, help)->check(CLI::Range(1, 10'000'000));
}

void add_client_id(CLI::App* command, const Options& options) {
  command->add_option("client_id", options->client_id, "The client's id")
      ->required()
      ->type_name("CLIENT_ID");
}

}  // namespace

void add_clients_command(CLI::App& app, Invocation& invocation) {
  CLI::App* clients = app.add_subcommand("clients", "List clients, explain or disconnect one");
  const auto options = std::make_shared<ClientsOptions>();
  clients->fallthrough();
  clients->require_subcommand(0, 1);
  clients->footer("Example: naru clients show car-0001");
  clients->add_option("client_id", options->client_id, "The same as show CLIENT_ID")
      ->type_name("CLIENT_ID");
  add_limit(clients, options, "At most so many clients (by default all)");
  clients->callback([&invocation, options, clients] {
    if (!clients->get_subcommands().empty()) return;
    const Run run = options->client_id.empty() ? run_list : run_show;
    invocation.run = [&invocation, options, run] { return run(invocation, *options); };
  });

  CLI::App* list = clients->add_subcommand("list", "Who is connected or has a session");
  list->footer("Example: naru clients list --connected --json");
  list->add_flag("--connected", options->connected, "Only those who are connected");
  add_limit(list, options, "At most so many clients (by default all)");
  call_back(list, invocation, options, run_list);

  CLI::App* show = clients->add_subcommand("show", "One client in full, and how it stands with it");
  show->footer("Example: naru clients show car-0001");
  add_client_id(show, options);
  call_back(show, invocation, options, run_show);

  CLI::App* explain = clients->add_subcommand(
      "explain", "Why a client is connected or not, and what it waits for, in sentences");
  explain->footer("Example: naru clients explain car-0001");
  add_client_id(explain, options);
  call_back(explain, invocation, options, run_explain);

  CLI::App* kick = clients->add_subcommand("kick", "End a client's connection; its session stays");
  kick->footer("Example: naru clients kick car-0001 --reason 'new certificate'");
  add_client_id(kick, options);
  kick->add_option("--reason", options->reason,
                   "For the log and, as the reason string of 0x98, for an MQTT 5 client")
      ->type_name("TEXT");
  call_back(kick, invocation, options, run_kick);

  CLI::App* forget = clients->add_subcommand(
      "forget", "End the session of a client that is away: its filters, and what waits for it");
  forget->footer("Example: naru clients forget local.house7");
  add_client_id(forget, options);
  call_back(forget, invocation, options, run_forget);
}

void add_subscriptions_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("subscriptions", "Who wants what");
  const auto options = std::make_shared<ClientsOptions>();
  command->footer("Example: naru subscriptions --topic vehicles/car-0001/telemetry");
  command->add_option("--filter", options->filter, "Only this very filter")->check(fault_of_filter);
  command->add_option("--topic", options->topic, "Only filters that match this topic")
      ->check(fault_of_topic);
  command->add_option("--client", options->client_id, "Only this client's")->type_name("CLIENT_ID");
  add_limit(command, options, "At most about so many, by default all; a client's are never split");
  call_back(command, invocation, options, run_subscriptions);
}

}  // namespace naru::tools

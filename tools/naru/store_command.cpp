// tools/naru/store_command.cpp: `naru store`, what is on disk and copies of it.
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "broker/app/backup.hpp"
#include "tools/naru/argument_checks.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/control_client.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/readable_rows.hpp"
#include "tools/naru/store_check.hpp"
#include "tools/naru/store_dump.hpp"
#include "tools/naru/time_argument.hpp"

namespace naru::tools {
namespace {

constexpr Millis backup_time{3'600'000};

struct StoreOptions {
  DumpChoice choice;
  int lane = -1;
  std::uint64_t limit = 0;
  std::string directory;
  std::string data = "./var";
};
using Options = std::shared_ptr<StoreOptions>;

void show(const Json& answer, bool json) {
  const Shape shape = output_shape(json);
  if (shape == Shape::json) {
    print_json(answer);
    return;
  }
  Table table{{"", ""}};
  add_leaves(table, answer, "");
  print(table.text(shape));
}

Outcome run_stat(const Invocation& invocation, const StoreOptions&) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const auto store = broker->get("/v1/store");
  if (!store) return store.error();
  show(*store, invocation.json);
  return ExitCode::done;
}

Outcome run_backup(const Invocation& invocation, const StoreOptions& options) {
  auto broker = ControlClient::open(invocation.socket);
  if (!broker) return broker.error();
  const Json body{{"directory", std::filesystem::absolute(options.directory).string()}};
  const auto taken = broker->call(
      {.method = "POST", .path = "/v1/store/backup", .body = body.dump(), .limit = backup_time});
  if (!taken) return taken.error();
  show(*taken, invocation.json);
  return ExitCode::done;
}

Outcome run_restore(const Invocation& invocation, const StoreOptions& options) {
  const auto restored = broker::restore_backup(options.directory, options.data);
  if (!restored) return restored.error();
  show(Json{{"data", options.data},
            {"node", restored->node},
            {"version", restored->version},
            {"taken_at", format_time(restored->taken_at)},
            {"files", restored->files},
            {"bytes", restored->bytes}},
       invocation.json);
  if (restored->unchecked != 0) {
    print_error(
        "the backup has no checksums, so its files were not checked; 'naru store check "
        "--data " +
        options.data + "' reads every row");
  }
  return ExitCode::done;
}

void tell_damages(const ReadableRows& store) {
  for (const ReadableRows::Damage& each : store.damages()) {
    print_error(std::string{"family "} + family_name(each.family) + ": some rows cannot be read (" +
                each.text + ")");
  }
}

Outcome run_check(const Invocation& invocation, const StoreOptions& options) {
  const auto store = open_store_at_rest(options.data);
  if (!store) return store.error();
  const ReadableRows readable{**store};
  const auto found = check_rows(readable);
  if (!found) return found.error();
  show(Json{{"rows", found->rows},
            {"sessions", found->sessions},
            {"queued", found->queued},
            {"retained", found->retained},
            {"journal_entries", found->journal_entries},
            {"stream_records", found->stream_records},
            {"missing", found->missing},
            {"unreadable", found->unreadable},
            {"damaged", readable.damages().size()}},
       invocation.json);
  tell_damages(readable);
  const bool good = found->unreadable + found->missing == 0 && readable.damages().empty();
  return good ? ExitCode::done : ExitCode::not_done;
}

// A JSON value in one cell: "a=1 b=x", nested ones as JSON.
std::string row_cell(const Json& row) {
  std::string text;
  for (const auto& [key, value] : row.items()) {
    if (key == "family" || key == "kind" || key == "lane" || key == "client_id") continue;
    if (!text.empty()) text += ' ';
    text += key + "=" + printable(cell(value));
  }
  return text;
}

// Line by line, since a store has no end; so nothing is aligned.
Outcome run_dump(const Invocation& invocation, const StoreOptions& options) {
  DumpChoice choice = options.choice;
  if (options.lane >= 0) choice.lane = static_cast<std::uint16_t>(options.lane);
  const auto store = open_store_at_rest(options.data);
  if (!store) return store.error();
  const bool json = output_shape(invocation.json) == Shape::json;
  std::uint64_t shown = 0;
  bool readable = true;
  const ReadableRows rows{**store};
  const auto dumped = dump_rows(rows, choice, [&](const Json& row) {
    readable = readable && !row.contains("unreadable");
    const bool more = ++shown != options.limit;
    if (json) return print_json(row) && more;
    const auto field = [&](const char* name) { return printable(member_cell(row, name)); };
    return print(field("family") + "\t" + field("kind") + "\t" + field("lane") + "\t" +
                 field("client_id") + "\t" + row_cell(row) + "\n") &&
           more;
  });
  if (!dumped) return dumped.error();
  tell_damages(rows);
  return readable && rows.damages().empty() ? ExitCode::done : ExitCode::not_done;
}

using Run = Outcome (*)(const Invocation&, const StoreOptions&);

CLI::App* add(CLI::App& parent, Invocation& invocation, const char* name, const char* help,
              const Options& options, Run run) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->callback([&invocation, options, run] {
    invocation.run = [&invocation, options, run] { return run(invocation, *options); };
  });
  return command;
}

void add_data(CLI::App* command, const Options& options) {
  command->add_option("--data", options->data, "The data directory; narud must not be running")
      ->type_name("PATH")
      ->capture_default_str();
}

}  // namespace

void add_store_command(CLI::App& app, Invocation& invocation) {
  CLI::App* store =
      app.add_subcommand("store", "What is on disk: look, check, dump, back up, restore");
  store->require_subcommand(1);
  store->fallthrough();
  store->footer("Example: naru store backup /backup/naru-monday");
  const auto options = std::make_shared<StoreOptions>();
  CLI::App* stat = add(*store, invocation, "stat", "Tables, sizes and the range of the journal",
                       options, run_stat);
  stat->footer("Example: naru store stat");
  CLI::App* backup = add(*store, invocation, "backup", "Copy the store of the running broker",
                         options, run_backup);
  backup->footer("Example: naru store backup /backup/naru-monday");
  backup->add_option("directory", options->directory, "Must not exist; narud makes it")
      ->required()
      ->check(refuse_empty);
  CLI::App* restore =
      add(*store, invocation, "restore", "Make a data directory of a backup", options, run_restore);
  restore->footer("Example: naru store restore /backup/naru-monday --data ./var");
  restore->add_option("directory", options->directory, "The backup")->required();
  add_data(restore, options);
  CLI::App* dump = add(*store, invocation, "dump", "Print every row of a store at rest, readable",
                       options, run_dump);
  dump->footer(
      "Example: naru store dump --data /var/lib/naru --client car-0001 --json\n\nA row a line: "
      "family, kind, lane, client, then all that is in it. It ends with 1 when a row cannot be "
      "read; such rows are shown as they are, and what is damaged on disk is passed over and "
      "named.");
  dump->add_option("--family", options->choice.family, "Only this: " + family_names())
      ->type_name("NAME");
  dump->add_option("--lane", options->lane, "Only rows of this lane")
      ->check(CLI::Range(0, 255))
      ->type_name("NUMBER");
  dump->add_option("--client", options->choice.client_id,
                   "Only what belongs to this client or was sent by it")
      ->type_name("CLIENT_ID");
  dump->add_option("--limit", options->limit, "At most so many rows; 0 for all")
      ->capture_default_str();
  add_data(dump, options);
  CLI::App* check = add(*store, invocation, "check",
                        "Read every row; end with 1 when some are unreadable, damaged or missing",
                        options, run_check);
  check->footer("Example: naru store check --data /var/lib/naru");
  add_data(check, options);
}

}  // namespace naru::tools

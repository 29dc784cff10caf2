// tools/naru/import_command.cpp: `naru import`, what another broker has kept.
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/commands.hpp"
#include "tools/naru/mosquitto_import.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

struct ImportOptions {
  std::string file;
  std::string data = "./var";
};

// A line for each tenth of the way.
class Meter {
 public:
  void operator()(std::uint64_t done, std::uint64_t of) {
    const std::uint64_t tenth = of == 0 ? 10 : done * 10 / of;
    if (tenth <= tenth_ || of < worth_telling) return;
    tenth_ = tenth;
    std::fprintf(stderr, "naru: %llu of %llu\n", static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(of));
  }

 private:
  static constexpr std::uint64_t worth_telling = 10'000;
  std::uint64_t tenth_ = 0;
};

// Calls visit(row, count) for each reason that there is.
template <class Visitor>
void each_left(const ImportCounts& counts, Visitor&& visit) {
  for (std::size_t i = 0; i < left_rows.size(); ++i) {
    if (counts.left[i] != 0) visit(left_rows[i], counts.left[i]);
  }
}

Json left_json(const ImportCounts& counts) {
  Json list = Json::array();
  each_left(counts, [&list](const LeftRow& row, std::uint64_t count) {
    list.push_back(Json{{"what", row.name}, {"count", count}, {"why", row.why}});
  });
  return list;
}

Table left_table(const ImportCounts& counts) {
  Table table{{"left behind", "count", "why"}};
  each_left(counts, [&table](const LeftRow& row, std::uint64_t count) {
    table.add({std::string{"left."} + row.name, std::to_string(count), row.why});
  });
  return table;
}

Outcome run_import(const Invocation& invocation, const ImportOptions& options) {
  const auto counts = import_mosquitto_db(options.file, options.data, Meter{});
  if (!counts) return counts.error();
  Json answer{{"data", options.data},
              {"sessions", counts->sessions},
              {"bridges", counts->bridges},
              {"subscriptions", counts->subscriptions},
              {"queued", counts->queued},
              {"sent_again", counts->sent_again},
              {"unreleased", counts->unreleased},
              {"retained", counts->retained}};
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    answer["left"] = left_json(*counts);
    print_json(answer);
    return ExitCode::done;
  }
  Table table{{"", ""}};
  add_leaves(table, answer, "");
  print(table.text(shape));
  const Table left = left_table(*counts);
  if (!left.empty()) print(left.text(shape));
  return ExitCode::done;
}

std::string footer() {
  std::string text =
      "Example: naru import /var/lib/mosquitto/mosquitto.db --data /var/lib/naru\n\n"
      "What came along:\n"
      "  sessions, subscriptions, retained (messages)\n"
      "  bridges: sessions of mosquitto's bridges; the connection section goes on with them\n"
      "  queued: messages that wait for their sessions, or are on their way to clients\n"
      "  sent_again: of those, QoS 2 under packet ids beyond 32767; clients may get them twice\n"
      "  unreleased: QoS 2 messages from clients whose PUBREL has not come yet\n\n"
      "What stays behind, a line for each reason that there is (left.NAME, count, why; with\n"
      "--json the list left). It is no failure: the exit code is 0.\n";
  for (const LeftRow& row : left_rows) {
    text += "  " + std::string{row.name} + ": " + row.why + "\n";
  }
  return text;
}

}  // namespace

void add_import_command(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App* command = app.add_subcommand(
      "import", "Make a data directory of mosquitto's: sessions, queues and retained messages");
  command->add_option("file", options->file, "mosquitto.db, of a mosquitto that has stopped")
      ->required();
  command->add_option("--data", options->data, "Where; must be empty or not exist")
      ->type_name("PATH")
      ->capture_default_str();
  command->footer(footer());
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_import(invocation, *options); };
  });
}

}  // namespace naru::tools

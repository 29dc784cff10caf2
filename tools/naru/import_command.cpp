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

Outcome run_import(const Invocation& invocation, const ImportOptions& options) {
  const auto counts = import_mosquitto_db(options.file, options.data, Meter{});
  if (!counts) return counts.error();
  const Json answer{{"data", options.data},
                    {"sessions", counts->sessions},
                    {"subscriptions", counts->subscriptions},
                    {"queued", counts->queued},
                    {"sent_again", counts->sent_again},
                    {"unreleased", counts->unreleased},
                    {"retained", counts->retained},
                    {"expired", counts->expired},
                    {"shared_subscriptions_left", counts->shared},
                    {"left", counts->left}};
  const Shape shape = output_shape(invocation.json);
  if (shape == Shape::json) {
    print_json(answer);
    return ExitCode::done;
  }
  Table table{{"", ""}};
  add_leaves(table, answer, "");
  print(table.text(shape));
  return ExitCode::done;
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
  command->footer("Example: naru import /var/lib/mosquitto/mosquitto.db --data /var/lib/naru");
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_import(invocation, *options); };
  });
}

}  // namespace naru::tools

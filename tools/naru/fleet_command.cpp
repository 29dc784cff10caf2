// tools/naru/fleet_command.cpp: `naru fleet`, vehicles that behave like a fleet.
#include <algorithm>
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "tools/naru/argument_checks.hpp"
#include "tools/naru/commands.hpp"
#include "tools/naru/connection_options.hpp"
#include "tools/naru/file_argument.hpp"
#include "tools/naru/output.hpp"
#include "tools/naru/time_argument.hpp"
#include "tools/naru/vehicle.hpp"

namespace naru::tools {
namespace {

constexpr Seconds reach_time{5};    // For the first vehicle to connect at all.
constexpr Seconds finish_time{10};  // For what is not acknowledged when the drive is over.

struct FleetOptions {
  ConnectionOptions connection;
  std::size_t vehicles = 20;
  std::vector<std::string> recordings;
  double rate = 1;
  double speed = 1;
  std::string duration = "0";
  int qos = 1;
  std::string prefix = "vehicles";
  std::string id_prefix = "car-";
  bool no_answers = false;
  std::uint64_t seed = 1;
  double connect_rate = 1000;
  std::uint32_t session_expiry_s = 86'400;
};

Result<std::vector<Recording>> load_file(const std::filesystem::path& path) {
  const auto text = read_file(path.string());
  if (!text) return text.error();
  return parse_recordings(*text, path.filename().string());
}

// Files as they are; of directories every .csv below them, by name.
Result<std::vector<std::filesystem::path>> find_files(const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> files;
  for (const std::string& name : names) {
    std::error_code error;
    if (!std::filesystem::is_directory(name, error)) {
      files.emplace_back(name);
      continue;
    }
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(name, error)) {
      if (entry.path().extension() == ".csv") found.push_back(entry.path());
    }
    if (found.empty()) return Error{Errc::invalid, "there is no .csv file in " + name};
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

Result<std::vector<Recording>> load_recordings(const std::vector<std::string>& names) {
  const auto files = find_files(names);
  if (!files) return files.error();
  std::vector<std::vector<Recording>> by_file;
  std::size_t longest = 0;
  for (const std::filesystem::path& path : *files) {
    auto recordings = load_file(path);
    if (!recordings) return recordings.error();
    longest = std::max(longest, recordings->size());
    by_file.push_back(std::move(*recordings));
  }
  // In turn from each file, so that a small fleet already has some of every kind.
  std::vector<Recording> all;
  for (std::size_t i = 0; i < longest; ++i) {
    for (auto& recordings : by_file) {
      if (i < recordings.size()) all.push_back(std::move(recordings[i]));
    }
  }
  return all;
}

std::string vehicle_id(const std::string& prefix, std::size_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return prefix + digits;
}

class Fleet final : public ClientOwner {
 public:
  Fleet(ClientLoop& loop, const FleetPlan& plan, Shape shape)
      : loop_(loop), plan_(plan), shape_(shape), started_(loop.now()) {}

  void add(ClientSettings settings, std::unique_ptr<SignalSource> source) {
    vehicles_.push_back(std::make_unique<Vehicle>(Vehicle::Context{loop_, plan_, counters_},
                                                  std::move(settings), std::move(source),
                                                  vehicles_.size() + 1));
  }

  Outcome run(Duration duration, double connect_rate) {
    started_ = loop_.now();
    for (std::size_t i = 0; i < vehicles_.size(); ++i) {
      const double micros = static_cast<double>(i) / connect_rate * 1e6;
      vehicles_[i]->start(started_ + Duration{static_cast<std::int64_t>(micros)});
    }
    if (duration.count() > 0) ends_ = started_ + duration;
    loop_.call_at(std::min(started_ + Seconds{1}, ends_), *this);
    loop_.run();
    // A short drive may be over before reach_time is.
    const bool unreachable = counters_.connect_failures > 0 && !counters_.answered;
    if (given_up_ || unreachable) {
      return Error{unreachable ? Errc::unavailable : Errc::refused, counters_.last_trouble};
    }
    finish();
    print_summary();
    const bool all = lost() == 0 && counters_.refused == 0 && counters_.published > 0;
    return all ? ExitCode::done : ExitCode::not_done;
  }

 private:
  enum class Phase : std::uint8_t { driving, draining, leaving };

  void on_event(const ClientEvent& /*event*/) override {}
  void on_down(const std::string& /*reason*/) override {}

  void on_timer(Instant now) override {
    if (phase_ != Phase::driving) return on_finish_timer(now);
    if (now >= ends_) return loop_.stop();
    print_progress(now);
    if (counters_.ever_connected == 0 && now - started_ >= reach_time) {
      given_up_ = true;
      return loop_.stop();
    }
    loop_.call_at(std::min(now + Seconds{1}, ends_), *this);
  }

  // The drive is over: first the last acknowledgements, then everybody leaves.
  void finish() {
    for (const auto& vehicle : vehicles_) vehicle->stop_sampling();
    phase_ = Phase::draining;
    ends_ = loop_.now() + finish_time;
    loop_.call_at(loop_.now(), *this);
    loop_.run();
  }

  void on_finish_timer(Instant now) {
    if (phase_ == Phase::draining && (waiting() == 0 || now >= ends_)) {
      phase_ = Phase::leaving;
      for (const auto& vehicle : vehicles_) vehicle->leave();
    }
    const bool empty = std::all_of(vehicles_.begin(), vehicles_.end(),
                                   [](const auto& vehicle) { return vehicle->away(); });
    if ((phase_ == Phase::leaving && empty) || now >= ends_ + Seconds{2}) return loop_.stop();
    loop_.call_at(now + Millis{10}, *this);
  }

  std::uint64_t waiting() const {
    std::uint64_t sum = 0;
    for (const auto& vehicle : vehicles_) sum += vehicle->backlog();
    return sum;
  }
  // Published, and the broker has not said a word about it.
  std::uint64_t lost() const {
    if (plan_.qos == mqtt::Qos::at_most_once) return 0;
    return counters_.published - counters_.acknowledged - counters_.refused;
  }
  std::uint64_t resent() const {
    std::uint64_t sum = 0;
    for (const auto& vehicle : vehicles_) sum += vehicle->resent();
    return sum;
  }

  Json numbers(Instant now) const {
    return {{"seconds", std::chrono::duration_cast<Seconds>(now - started_).count()},
            {"vehicles", vehicles_.size()},
            {"connected", counters_.connected},
            {"published", counters_.published},
            {"acknowledged", counters_.acknowledged},
            {"waiting", lost()},
            {"refused", counters_.refused},
            {"skipped", counters_.skipped},
            {"commands", counters_.commands},
            {"answers", counters_.answers},
            {"connections_lost", counters_.connections_lost},
            {"connect_failures", counters_.connect_failures},
            {"resent", resent()}};
  }

  void print_progress(Instant now) {
    const Json all = numbers(now);
    if (shape_ == Shape::json) {
      print_json(all);
      return;
    }
    std::string line = member_cell(all, "seconds") + "s  connected " +
                       member_cell(all, "connected") + "/" + member_cell(all, "vehicles");
    for (const char* name : {"published", "acknowledged", "waiting", "commands", "answers"}) {
      line += std::string{"  "} + name + " " + member_cell(all, name);
    }
    if (counters_.connections_lost > 0) {
      line += "  connections lost " + member_cell(all, "connections_lost");
    }
    if (counters_.connected < vehicles_.size() && !counters_.last_trouble.empty()) {
      line += "  (" + counters_.last_trouble + ")";
    }
    print(line + "\n");
  }

  void print_summary() {
    Json all = numbers(loop_.now());
    all["ack_us_p50"] = counters_.latency.percentile(0.50).count();
    all["ack_us_p99"] = counters_.latency.percentile(0.99).count();
    if (!counters_.last_trouble.empty()) all["last_trouble"] = counters_.last_trouble;
    if (shape_ == Shape::json) {
      all["summary"] = true;
      print_json(all);
      return;
    }
    Table table{{"", ""}};
    add_leaves(table, all, "");
    print(table.text(shape_));
  }

  ClientLoop& loop_;
  const FleetPlan& plan_;
  const Shape shape_;
  Instant started_;
  Instant ends_ = Instant::never();
  Phase phase_ = Phase::driving;
  bool given_up_ = false;
  FleetCounters counters_;
  std::vector<std::unique_ptr<Vehicle>> vehicles_;
};

std::unique_ptr<SignalSource> make_source(const std::vector<Recording>& recordings,
                                          std::size_t number, Rng& random) {
  if (recordings.empty()) return std::make_unique<MadeUpDrive>(random.next());
  const Recording& recording = recordings[number % recordings.size()];
  // The first vehicle of a recording drives it from its start, the others from elsewhere.
  const std::uint64_t anywhere = random.below(recording.rows());
  return std::make_unique<Replay>(recording, number < recordings.size() ? 0 : anywhere);
}

Result<ClientSettings> vehicle_settings(const FleetOptions& options) {
  auto settings = client_settings(options.connection);
  if (!settings) return settings;
  settings->clean_start = false;
  settings->session_expiry_s = options.session_expiry_s;
  return settings;
}

Outcome run_fleet(const Invocation& invocation, const FleetOptions& options) {
  const auto duration = parse_duration(options.duration);
  if (!duration) return duration.error();
  const auto settings = vehicle_settings(options);
  if (!settings) return settings.error();
  const auto recordings = load_recordings(options.recordings);
  if (!recordings) return recordings.error();
  const auto server = server_of(options.connection);
  if (!server) return server.error();

  FleetPlan plan;
  plan.prefix = options.prefix;
  plan.qos = static_cast<mqtt::Qos>(options.qos);
  plan.interval = Duration{static_cast<std::int64_t>(1e6 / (options.rate * options.speed))};
  plan.answers = !options.no_answers;
  plan.seed = options.seed;
  ClientLoop loop{*server};
  Fleet fleet{loop, plan, output_shape(invocation.json)};
  Rng random{options.seed};
  for (std::size_t i = 0; i < options.vehicles; ++i) {
    ClientSettings one = *settings;
    one.client_id = vehicle_id(options.id_prefix, i + 1);
    if (i % 3 == 2) one.version = mqtt::Version::v3_1_1;
    fleet.add(std::move(one), make_source(*recordings, i, random));
  }
  return fleet.run(*duration, options.connect_rate);
}

void add_fleet_options(CLI::App& fleet, FleetOptions& options) {
  fleet.add_option("-n,--vehicles", options.vehicles, "How many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  fleet
      .add_option("--recordings", options.recordings,
                  "Replay these CSV files, or those in a directory (else the drives are made up)")
      ->type_name("PATH");
  fleet.add_option("--rate", options.rate, "Messages a second of each vehicle")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  fleet.add_option("--speed", options.speed, "So many times faster than the rate says")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  fleet.add_option("--duration", options.duration, "Drive for so long; 0: until interrupted")
      ->capture_default_str();
  fleet.add_option("-q,--qos", options.qos, "Quality of service of telemetry")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
  fleet.add_option("--prefix", options.prefix, "Topics begin with this")
      ->check(fault_of_topic)
      ->capture_default_str();
  fleet.add_option("--id-prefix", options.id_prefix, "Client ids begin with this")
      ->capture_default_str();
  fleet.add_flag("--no-answers", options.no_answers, "Do not listen to commands");
  fleet.add_option("--seed", options.seed, "The same seed makes the same fleet")
      ->capture_default_str();
  fleet.add_option("--connect-rate", options.connect_rate, "Connections a second at the start")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  fleet
      .add_option("--session-expiry", options.session_expiry_s,
                  "The broker forgets a vehicle that is away for so long")
      ->type_name("SECONDS")
      ->transform(seconds_between(0, most_seconds))
      ->capture_default_str();
  add_server_options(fleet, options.connection);
  fleet.add_option("-u,--user", options.connection.user, "The user of all vehicles");
  fleet.add_option("-P,--password", options.connection.password, "The user's password");
}

}  // namespace

void add_fleet_command(CLI::App& app, Invocation& invocation) {
  CLI::App* fleet =
      app.add_subcommand("fleet", "Drive a fleet: vehicles that send telemetry and obey commands");
  leave_h_to_host(*fleet);
  const auto options = std::make_shared<FleetOptions>();
  fleet->footer("Example: naru fleet --vehicles 20 --duration 30s");
  add_fleet_options(*fleet, *options);
  fleet->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_fleet(invocation, *options); };
  });
}

}  // namespace naru::tools

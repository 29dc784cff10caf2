// test/system/kill_loop.cpp
//
// naru_kill_loop kills a broker under load, again and again, and then lets the checkers judge
// what its clients saw: nothing acknowledged is lost, QoS 2 exactly once, order, wills, retained.
//
//   naru_kill_loop --narud PATH --rounds N --mode kill|power|stop --publishers P --sessions S
//                  [--seed N] [--dir DIR] [--front-hop encode] [--shards N]
//                  [--plant NAME] [--history FILE] [--mosquitto]
//
// Edge. One thread. Exit 0: nothing was violated; with --plant: the planted fault was found.
// Bounded by a stall limit: no acknowledgement for that long ends the run as failed.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "test/support/checkers.hpp"
#include "test/system/kill_loop_load.hpp"
#include "test/system/kill_loop_network.hpp"
#include "test/system/kill_loop_process.hpp"

namespace naru::test {
namespace {

struct LoopOptions {
  BrokerOptions broker;
  LoadOptions load;
  std::size_t rounds = 50;
  std::string history;        // A file for all records, one a line; empty: none.
  std::string mode = "kill";  // kill | power | stop (a clean end: no fault at all)
};

// Words that stand for themselves carry no value; all others take the next word.
bool parse(int argc, char** argv, std::map<std::string, std::string>& words) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool lone = word == "--mosquitto";
    if (word.substr(0, 2) != "--" || (!lone && i + 1 == argc)) return false;
    words[word.substr(2)] = lone ? "yes" : argv[++i];
  }
  const bool known_mode = words.count("mode") == 0 || words["mode"] == "kill" ||
                          words["mode"] == "power" || words["mode"] == "stop";
  return words.count("narud") != 0 && known_mode;
}

LoopOptions options_from(std::map<std::string, std::string>& words) {
  const auto number = [&words](const char* name, std::uint64_t otherwise) {
    const auto found = words.find(name);
    return found == words.end() ? otherwise : std::strtoull(found->second.c_str(), nullptr, 10);
  };
  LoopOptions options;
  options.broker.program = words["narud"];
  options.broker.directory = words["dir"];
  options.broker.mosquitto = words.count("mosquitto") != 0;
  options.broker.front_hop_encode = words["front-hop"] == "encode";
  options.broker.shards = number("shards", 0);
  options.broker.plant = words["plant"];
  options.history = words["history"];
  options.load.publishers = number("publishers", 6);
  options.load.sessions = number("sessions", 6);
  options.load.seed = number("seed", static_cast<std::uint64_t>(::getpid()));
  options.rounds = number("rounds", 50);
  if (words.count("mode") != 0) options.mode = words["mode"];
  return options;
}

class KillLoop {
 public:
  explicit KillLoop(LoopOptions options)
      : options_(std::move(options)),
        broker_(options_.broker),
        network_(history_),
        load_(options_.load, network_, history_) {}

  // The number of failures.
  int run() {
    for (std::size_t round = 1; round <= options_.rounds && failed_ == 0; ++round) run_round(round);
    if (failed_ == 0) finish();
    if (!options_.history.empty()) write_history();
    const int violations = judge();
    std::printf("%zu rounds of %s, seed %llu, %zu records\n", survived_, options_.mode.c_str(),
                static_cast<unsigned long long>(options_.load.seed), history_.records().size());
    if (!options_.broker.plant.empty()) return judge_plant(violations);
    std::printf("%zu passed, %d failed\n", passed_, failed_ + violations);
    return failed_ + violations;
  }

 private:
  void fail(const std::string& why) {
    std::printf("FAILED: %s\n", why.c_str());
    ++failed_;
  }
  void note(Event event) {
    Record record;
    record.at = network_.now();
    record.event = event;
    history_.add(record);
  }

  bool start() {
    const auto took = broker_.start();
    if (!took) {
      fail(took.error().text);
      return false;
    }
    restart_ = *took;
    network_.set_port(broker_.port());
    note(Event::broker_started);
    return true;
  }

  // A clean end is a crash for the history too: connections break at any byte.
  Result<void> end_broker() {
    note(options_.mode == "power" ? Event::broker_power_loss : Event::broker_crash);
    if (options_.mode == "power") return broker_.lose_power();
    return options_.mode == "stop" ? broker_.stop() : broker_.kill_hard();
  }

  void run_round(std::size_t round) {
    if (!broker_.is_running() && !start()) return;
    load_.begin_round();
    // The first round lets everybody subscribe; a later one may be over while clients return.
    if (round == 1 && !load_.settle()) return fail("clients cannot connect and subscribe");
    const std::size_t target = round % 5 == 0 ? load_.random(30) : 200 + load_.random(2000);
    if (!load_.run(target)) return fail("no progress");
    const auto ended = end_broker();
    load_.on_broker_dead();
    if (!ended) return fail(ended.error().text);
    const LoadCount& count = load_.count();
    ++survived_;
    if (!start()) return;
    std::printf("round %zu: acked %zu, delivered %zu, repeated %zu, restart %lld ms\n", round,
                count.acked, count.delivered, count.repeated,
                static_cast<long long>(std::chrono::duration_cast<Millis>(restart_).count()));
    std::fflush(stdout);
    ++passed_;
  }

  void finish() {
    if (!load_.drain()) return fail("not everything arrives after the last restart");
    if (!load_.read_retained()) return fail("retained messages cannot be read");
    if (const auto stopped = broker_.stop(); !stopped) return fail(stopped.error().text);
    ++passed_;
  }

  void write_history() {
    std::ofstream file(options_.history);
    for (std::size_t i = 0; i < history_.records().size(); ++i) file << history_.line(i) << '\n';
  }

  int judge() {
    const Timeline run{history_};
    int violated = 0;
    for (const Checker& checker : all_checkers()) {
      const Violations found = checker.check(run);
      for (const Violation& each : found)
        std::printf("%s: %s\n", each.checker.c_str(), each.text.c_str());
      if (found.empty())
        ++passed_;
      else
        ++violated;
    }
    const Summary sum = summarize(run);
    std::printf("sent %zu, acked %zu, unknown %zu, received %zu, duplicates %zu\n", sum.sent,
                sum.acked, sum.unknown, sum.received, sum.duplicates);
    return violated;
  }

  // Only what a checker found counts: a broker that does not even start proves nothing.
  int judge_plant(int violations) {
    std::printf("planted fault '%s' was %s\n", options_.broker.plant.c_str(),
                violations > 0 ? "found" : "NOT found");
    return violations > 0 ? 0 : 1;
  }

  LoopOptions options_;
  BrokerProcess broker_;
  History history_;
  ClientNetwork network_;
  Load load_;
  Duration restart_{0};
  std::size_t survived_ = 0, passed_ = 0;
  int failed_ = 0;
};

}  // namespace
}  // namespace naru::test

int main(int argc, char** argv) {
  std::map<std::string, std::string> words;
  if (!naru::test::parse(argc, argv, words)) {
    std::fprintf(stderr,
                 "usage: %s --narud PATH [--rounds N] [--mode kill|power|stop] [--publishers P]\n"
                 "       [--sessions S] [--seed N] [--dir DIR] [--front-hop encode]\n"
                 "       [--shards N] [--plant NAME] [--history FILE] [--mosquitto]\n",
                 argv[0]);
    return 2;
  }
  // Without a directory of its own the run makes one, and takes it away when all went well.
  const bool own = words["dir"].empty();
  std::string made = (std::filesystem::temp_directory_path() / "naru-kill-XXXXXX").string();
  if (own && ::mkdtemp(made.data()) == nullptr) return 2;
  if (own) words["dir"] = made;
  naru::test::KillLoop loop{naru::test::options_from(words)};
  const int failures = loop.run();
  std::error_code ignored;
  if (own && failures == 0) std::filesystem::remove_all(made, ignored);
  if (failures != 0) std::printf("the broker's files are in %s\n", words["dir"].c_str());
  return failures == 0 ? 0 : 1;
}

// test/sim/sim_main.cpp
//
// naru_sim runs the broker's cores against model clients from seeds, and lets the checkers judge.
//
//   naru_sim [--seed N [--verbose]] [--seeds N [--from M]] [--steps N] [--twice]
//            [--long] [--disk-never-full] [--plant NAME]
//
// Edge: arguments and output. Exit 0: no seed failed. A seed that fails does so every time. With
// --plant the broker has a fault on purpose; exit 0: a seed found it.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "test/sim/simulation.hpp"

namespace naru::test {
namespace {

struct Plant {
  std::string_view name;
  broker::PlantedFault fault;
};
constexpr std::array plants = {
    Plant{"forget_given_back", broker::PlantedFault::forget_given_back},
    Plant{"lend_twice", broker::PlantedFault::lend_twice},
};

struct Arguments {
  std::uint64_t from = 1;
  std::uint64_t seeds = 300;
  bool twice = false;
  std::string plant;  // Empty: none.
  SimOptions sim;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    const auto number = [&] { return std::strtoull(argv[++i], nullptr, 10); };
    if (word == "--twice") {
      arguments.twice = true;
    } else if (word == "--verbose") {
      arguments.sim.verbose = true;
    } else if (word == "--disk-never-full") {
      arguments.sim.disk_may_fill = false;
    } else if (word == "--long") {
      arguments.seeds = 5'000;
    } else if (word == "--seed" && has_value) {
      arguments.from = number();
      arguments.seeds = 1;
    } else if (word == "--seeds" && has_value) {
      arguments.seeds = number();
    } else if (word == "--from" && has_value) {
      arguments.from = number();
    } else if (word == "--steps" && has_value) {
      arguments.sim.steps = number();
    } else if (word == "--plant" && has_value) {
      arguments.plant = argv[++i];
      const auto plant = std::ranges::find(plants, arguments.plant, &Plant::name);
      if (plant == plants.end()) return false;
      arguments.sim.planted = plant->fault;
    } else {
      return false;
    }
  }
  return true;
}

class Series {
 public:
  explicit Series(const Arguments& arguments) : arguments_(arguments) {}

  int run() {
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < arguments_.seeds; ++i) {
      run_seed(arguments_.from + i);
      if (!arguments_.plant.empty() && !failed_.empty()) return judge_plant();
    }
    if (!arguments_.plant.empty()) return judge_plant();
    const auto took = std::chrono::duration_cast<Seconds>(std::chrono::steady_clock::now() - begin);
    std::printf(
        "%zu steps, %zu messages sent, %zu acknowledged, %zu unknown, %zu received,\n"
        "%zu repeated; %zu crashes, %zu power losses, %zu full disks, %zu hop resets,\n"
        "%zu journal entries dropped; %zu commands, %zu of them succeeded;\n"
        "%zu messages to members of groups; %lld s\n",
        total_.steps, total_.summary.sent, total_.summary.acked, total_.summary.unknown,
        total_.summary.received, total_.summary.duplicates, total_.crashes, total_.power_losses,
        total_.full_disks, total_.hop_resets, total_.journal_drops, total_.commands,
        total_.commands_succeeded, total_.shared, static_cast<long long>(took.count()));
    for (const std::uint64_t seed : failed_) {
      std::printf("failed: --seed %llu\n", static_cast<unsigned long long>(seed));
    }
    std::printf("%llu passed, %zu failed\n",
                static_cast<unsigned long long>(arguments_.seeds - failed_.size()), failed_.size());
    return failed_.empty() ? 0 : 1;
  }

 private:
  void run_seed(std::uint64_t seed) {
    SimOptions options = arguments_.sim;
    options.seed = seed;
    SimResult result = Simulation{options}.run();
    if (arguments_.twice) {
      options.verbose = false;
      if (Simulation{options}.run().hash != result.hash) {
        result.failures.push_back("the second run of this seed was a different one");
      }
    }
    if (!result.failures.empty()) {
      failed_.push_back(seed);
      std::printf("seed %llu failed:\n", static_cast<unsigned long long>(seed));
      for (const std::string& why : result.failures) std::printf("  %s\n", why.c_str());
    }
    add(result);
    if (++done_ % 50 == 0) {
      std::printf("%zu seeds, %zu messages acknowledged, %zu failed\n", done_, total_.summary.acked,
                  failed_.size());
    }
    std::fflush(stdout);
  }

  int judge_plant() const {
    std::printf("planted fault '%s' was %s\n", arguments_.plant.c_str(),
                failed_.empty() ? "NOT found" : "found");
    return failed_.empty() ? 1 : 0;
  }

  void add(const SimResult& result) {
    total_.steps += result.steps;
    total_.crashes += result.crashes;
    total_.power_losses += result.power_losses;
    total_.full_disks += result.full_disks;
    total_.hop_resets += result.hop_resets;
    total_.journal_drops += result.journal_drops;
    total_.commands += result.commands;
    total_.commands_succeeded += result.commands_succeeded;
    total_.shared += result.shared;
    total_.summary.sent += result.summary.sent;
    total_.summary.acked += result.summary.acked;
    total_.summary.unknown += result.summary.unknown;
    total_.summary.received += result.summary.received;
    total_.summary.duplicates += result.summary.duplicates;
  }

  Arguments arguments_;
  SimResult total_;
  std::vector<std::uint64_t> failed_;
  std::size_t done_ = 0;
};

}  // namespace
}  // namespace naru::test

int main(int argc, char** argv) {
  naru::test::Arguments arguments;
  if (!naru::test::parse(argc, argv, arguments)) {
    std::fprintf(stderr,
                 "usage: %s [--seed N [--verbose]] [--seeds N [--from M]] [--steps N] [--twice]\n"
                 "       [--long] [--disk-never-full] [--plant NAME]\n",
                 argv[0]);
    return 2;
  }
  return naru::test::Series{arguments}.run();
}

// test/system/narud_power_loss.cpp
//
// narud as tests need it: on SIGUSR2 it ends as if the power had gone, and nothing that was not
// synced is in its data directory. With --plant NAME it has a fault that the tests must find.
//
// Edge. Everything else is narud's own code on the real RocksDB.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include "broker/app/run_narud.hpp"
#include "storage/kv/power_loss_fs.hpp"

namespace {

using naru::broker::PlantedFault;

struct Plant {
  std::string_view name;
  PlantedFault fault;
};

constexpr std::string_view no_sync = "no_sync";  // Commits are written and never synced.
constexpr std::array plants = {
    Plant{no_sync, PlantedFault::none},
    Plant{"ack_before_commit", PlantedFault::ack_before_commit},
    Plant{"forget_dedup", PlantedFault::forget_dedup},
    Plant{"reuse_packet_id", PlantedFault::reuse_packet_id},
    Plant{"clear_before_write", PlantedFault::clear_before_write},
};

// The word behind --plant, which narud itself does not know; it is taken out.
std::string_view take_plant(std::vector<char*>& words) {
  const auto at = std::ranges::find(words, std::string_view{"--plant"},
                                    [](const char* word) { return std::string_view{word}; });
  if (at == words.end() || at + 1 == words.end()) return {};
  const std::string_view name = *(at + 1);
  words.erase(at, at + 2);
  return name;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<char*> words(argv, argv + argc);
  const std::string_view name = take_plant(words);
  naru::storage::PowerLossFs power;
  naru::broker::Variation variation;
  variation.node.file_system = power.file_system();
  variation.end_signal = SIGUSR2;
  variation.on_end_signal = [&power] { power.drop_unsynced([] { ::_exit(0); }); };
  if (!name.empty()) {
    const auto plant = std::ranges::find(plants, name, &Plant::name);
    if (plant == plants.end()) {
      std::fprintf(stderr, "narud_power_loss: no fault of this name to plant\n");
      return 2;
    }
    variation.node.planted = plant->fault;
    if (name == no_sync) {
      variation.adjust = [](naru::broker::Config& config) {
        config.durability = naru::storage::Durability::written;
      };
    }
  }
  words.push_back(nullptr);
  return naru::broker::run_narud(static_cast<int>(words.size() - 1), words.data(), variation);
}

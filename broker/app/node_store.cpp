#include "broker/app/node_store.hpp"

#include <sys/timex.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <random>

#include "broker/app/bridges.hpp"
#include "cluster/lanes/lane_id.hpp"
#include "storage/base/log.hpp"
#include "storage/kv/mem_kv.hpp"
#include "storage/kv/rocks_look.hpp"
#include "storage/tables/schema.hpp"

namespace naru::broker {

namespace {

namespace fs = std::filesystem;

constexpr const char* store_name = "store";
constexpr const char* corrupt_mark = ".corrupt-";
constexpr const char* what_is_lost =
    "every session, queue, retained message, stream and command in it";

std::string store_directory(const Config& config) {
  return config.persistence_location + "/" + store_name;
}

std::string dated_name(const std::string& directory, WallMillis wall) {
  const auto seconds = static_cast<std::time_t>(wall / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return directory + corrupt_mark + text;
}

std::uint64_t random_node_id() {
  std::random_device device;
  std::uint64_t id = 0;
  while (id == 0) id = std::uint64_t{device()} << 32 | device();
  return id;
}

std::vector<std::string> find_set_aside(const std::string& data_directory) {
  const std::string prefix = std::string{store_name} + corrupt_mark;
  std::vector<std::string> found;
  std::error_code ignored;
  for (fs::directory_iterator at{data_directory, ignored}, end; at != end; at.increment(ignored)) {
    if (at->path().filename().string().starts_with(prefix)) found.push_back(at->path().string());
  }
  std::ranges::sort(found);
  return found;
}

std::string corrupt_store_problem(const std::string& aside) {
  return "the store was corrupt and is kept in " + aside +
         "; this node started empty: " + what_is_lost +
         " is lost to it. Move it away to acknowledge this";
}

Result<void> set_aside(const std::string& directory, const std::string& why, const Clock& clock) {
  const std::string aside = dated_name(directory, clock.wall());
  std::error_code error;
  fs::rename(directory, aside, error);
  if (error) {
    return Error{Errc::io, "cannot move the corrupt store to " + aside + ": " + error.message()};
  }
  log(Severity::error, "store_set_aside", {{"directory", aside}, {"reason", why}});
  std::fprintf(stderr, "narud: %s (%s)\n", corrupt_store_problem(aside).c_str(), why.c_str());
  return {};
}

// Keeps who the bridges are, and finds those whose section is gone and whose session is not.
Result<void> recall_bridges(const Config& config, NodeStore& store) {
  const auto kept = storage::read_bridges(*store.look);
  if (!kept) return kept.error();
  storage::BridgesRow row;
  const std::vector<Bytes> clients = bridge_clients(config);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    row.bridges.push_back({config.bridges[i].name, clients[i]});
  }
  for (const storage::BridgesRow::Bridge& each : kept->bridges) {
    if (std::ranges::find(clients, each.client_id) != clients.end()) continue;
    const Bytes key = storage::session_key(cluster::lane_of(each.client_id), each.client_id);
    const auto session = store.look->get(storage::Family::session, key);
    if (!session) return session.error();
    if (!*session) continue;
    store.former_bridges.push_back(each);
    row.bridges.push_back(each);
  }
  if (row == *kept) return {};
  store.first_rows.put(storage::Family::meta, storage::bridges_key, storage::encode_row(row));
  return {};
}

Result<void> read_node(const Config& config, const Clock& clock, NodeStore& store) {
  auto node = storage::next_incarnation(*store.look, random_node_id());
  if (!node) return node.error();
  store.node = *node;
  store.first_rows.put(storage::Family::meta, storage::node_key, storage::encode_row(*node));
  const auto kept = storage::read_time(*store.look);
  if (!kept) return kept.error();
  store.wall_at_start = clock.wall();
  const bool trusted =
      config.downtime_counts == DowntimeCounts::always ||
      (config.downtime_counts == DowntimeCounts::automatic && is_clock_synchronised());
  store.store_base = storage::resume_store_time(*kept, store.wall_at_start, trusted);
  return recall_bridges(config, store);
}

}  // namespace

std::vector<std::string> problems_of(const std::vector<std::string>& set_aside) {
  std::vector<std::string> problems;
  for (const std::string& each : set_aside) {
    std::error_code ignored;
    if (fs::exists(each, ignored)) problems.push_back(corrupt_store_problem(each));
  }
  return problems;
}

bool is_clock_synchronised() {
  timex state{};
  const int told = ::adjtimex(&state);  // Negative: a sandbox forbids asking.
  return told >= 0 && told != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

storage::RocksOptions rocks_options(const Config& config, NodeStore& store) {
  storage::RocksOptions options;
  options.directory = store_directory(config);
  options.write_buffer_bytes = config.write_buffer;
  options.filter = &store.horizon;
  options.on_warning = [](int severity, std::string_view text) {
    log(severity > 1 ? Severity::error : Severity::warning, "store", {{"text", text}});
  };
  return options;
}

Result<void> look_at_store(const Config& config, const Clock& clock, NodeStore& store,
                           const std::shared_ptr<void>& file_system) {
  std::error_code error;
  fs::create_directories(config.persistence_location, error);
  if (error) {
    return Error{Errc::io, "cannot make the data directory " + config.persistence_location + ": " +
                               error.message() + "; choose another with persistence_location"};
  }
  storage::RocksOptions options = rocks_options(config, store);
  options.file_system = file_system;
  auto look = storage::RocksLook::open(options);
  if (look) {
    store.look = std::move(*look);
  } else if (look.error().code == Errc::not_found) {
    store.look = std::make_unique<storage::MemKv>();
  } else {
    return look.error();
  }
  store.set_aside = find_set_aside(config.persistence_location);
  return read_node(config, clock, store);
}

Result<void> take_store(const Config& config, NodeStore& store,
                        const std::shared_ptr<void>& file_system) {
  store.look.reset();
  storage::RocksOptions options = rocks_options(config, store);
  options.file_system = file_system;
  auto opened = storage::RocksKv::open(options);
  if (!opened) return opened.error();
  store.kv = std::move(*opened);
  return store.kv->commit(store.first_rows, storage::Durability::synced);
}

Result<void> answer_corruption(const Config& config, const Clock& clock, const Error& found) {
  if (config.store_on_corrupt == OnCorrupt::start_empty) {
    return set_aside(store_directory(config), found.text, clock);
  }
  return Error{Errc::corrupt,
               found.text +
                   "; nothing was changed. Move the directory away and bring a backup back with "
                   "'naru store restore', or set 'store_on_corrupt start_empty' to keep this store "
                   "aside and start without it: " +
                   what_is_lost + " would be lost to this node"};
}

}  // namespace naru::broker

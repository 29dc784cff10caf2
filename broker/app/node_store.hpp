// broker/app/node_store.hpp
//
// NodeStore opens the data directory and says who the node is: the RocksDB in it, the horizon of
// its journal, the incarnation of this start, and where store time goes on.
//
// Edge. Made at start by one thread; later read by all. Owned by Node.
//
//   look_at_store()   `look` is there; who the node is has been read, nothing has been changed
//   recovery          reads through `look`
//   take_store()      `kv` is there, `look` is gone; from here on damage is a failure at run time
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/app/config.hpp"
#include "storage/kv/rocks_kv.hpp"
#include "storage/tables/horizon.hpp"
#include "storage/tables/meta.hpp"

namespace naru::broker {

struct NodeStore {
  storage::Horizon horizon;
  std::unique_ptr<storage::KvStore> look;
  std::unique_ptr<storage::RocksKv> kv;
  storage::Batch first_rows;  // What take_store() writes.
  storage::NodeRow node;
  StoreMillis store_base = 0;  // Store time when the process started.
  WallMillis wall_at_start = 0;
  std::vector<std::string> problems;   // For `naru status`.
  std::vector<std::string> set_aside;  // Corrupt stores, of this start and of earlier ones.
  // Of no `connection` section any more, with a session here when the node started.
  std::vector<storage::BridgesRow::Bridge> former_bridges;
};

// The RocksDB options of a configuration; test builds put their file system in.
storage::RocksOptions rocks_options(const Config& config, NodeStore& store);

// After a failure of either the files are as they were. Errc::corrupt: answer_corruption().
Result<void> look_at_store(const Config& config, const Clock& clock, NodeStore& store,
                           const std::shared_ptr<void>& file_system);
Result<void> take_store(const Config& config, NodeStore& store,
                        const std::shared_ptr<void>& file_system);

// What to do where a start has found damage: an error with the remedies, or, where the
// configuration says so, the store is set aside under a dated name, and another start finds none.
// REQUIRES: nobody has the store open.
Result<void> answer_corruption(const Config& config, const Clock& clock, const Error& found);

// A sentence for each store that is still where it was set aside: moving it away acknowledges it.
std::vector<std::string> problems_of(const std::vector<std::string>& set_aside);

// True where the kernel's clock is synchronised.
bool is_clock_synchronised();

}  // namespace naru::broker

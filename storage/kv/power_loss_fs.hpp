// storage/kv/power_loss_fs.hpp
//
// PowerLossFs is a file system for RocksKv in tests: it can make a directory look as a power cut
// would leave it, when nothing survives but what was synced.
//
// Edge, test builds only. Lives on any thread; one mutex. Owned by the test, and by the store
// through file_system(). Bounded by the disk: deleted files stay until their directory is synced.
//
//   a file       keeps the bytes that were written when it was last synced
//   a directory  keeps its entries as they were when it was last synced: what was created,
//                renamed or deleted since is undone
//
// Only files that RocksDB opens through this are known; others keep what they have.
#pragma once

#include <functional>
#include <memory>

namespace naru::storage {

class PowerLossFs {
 public:
  PowerLossFs();
  ~PowerLossFs();
  PowerLossFs(const PowerLossFs&) = delete;
  PowerLossFs& operator=(const PowerLossFs&) = delete;

  // For RocksOptions::file_system.
  std::shared_ptr<void> file_system() const;

  // The power goes. From here on whatever the store writes goes nowhere, so it can be closed, or
  // the process ended; its directory is ready to be opened by a new one.
  // then: called before anybody can go on. A process that ends itself in it tells nobody that
  // writes into the dark have succeeded.
  void drop_unsynced(const std::function<void()>& then = {});

 private:
  class System;
  std::shared_ptr<System> system_;
};

}  // namespace naru::storage

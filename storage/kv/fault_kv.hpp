// storage/kv/fault_kv.hpp
//
// FaultKv is a KvStore for tests and simulation that can lose and refuse: it knows which commits
// were synced and which were only written, and fails where it is told to.
//
// Sans-IO. Lives on any thread, as KvStore demands; the controls may be used beside a commit.
// Owned by the test, which keeps it while the stores' users come and go: the object is the disk.
// Bounded by memory; it holds every row twice and every commit that is not synced yet.
//
//   commit(written)  --> written                    crash():      keeps written and synced
//   commit(synced)   --> synced, with all before    power_loss(): keeps synced
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "storage/kv/mem_kv.hpp"

namespace naru::storage {

class FaultKv final : public KvStore {
 public:
  struct Counts {
    std::uint64_t commits = 0;  // Asked for, failed ones too.
    std::uint64_t synced = 0;   // Succeeded with Durability::synced.
    std::uint64_t failed = 0;
    std::uint64_t gets = 0;
    std::uint64_t scans = 0;
  };

  Result<std::optional<Bytes>> get(Family family, BytesView key,
                                   Reach reach = Reach::disk) const override;
  std::unique_ptr<KvIterator> scan(Family family, BytesView from, BytesView to) const override;
  Result<void> commit(const Batch& batch, Durability durability) override;

  // The n-th commit from now on fails, 1 being the next. Any failure but no_space lasts until
  // crash() or power_loss(), as KvStore says. Several may be armed at once.
  void fail_commit(std::uint64_t n, Errc code);
  // Every commit fails with this until heal(); a disk that stays full.
  void fail_commits(Errc code);
  void heal();
  // get() with Reach::cache answers not_cached while cold.
  void set_cold(bool cold);

  // The process dies; what it had written stays.
  void crash();
  // The machine loses power. Commits that were written but not synced survive only as a prefix:
  // the oldest `unsynced_kept` of them.
  void power_loss(std::size_t unsynced_kept = 0);
  // What RocksKv::sync_wal() does.
  void sync();

  std::size_t unsynced() const;  // Commits a power loss would take.
  Counts counts() const;

 private:
  struct Fault {
    std::uint64_t left;  // Commits until it strikes.
    Errc code;
  };

  std::optional<Errc> due_fault();
  void sync_first(std::size_t n);

  MemKv written_;
  MemKv synced_;
  mutable std::mutex mutex_;
  std::vector<Batch> unsynced_;  // In written_, not yet in synced_; oldest first.
  std::vector<Fault> faults_;
  std::optional<Errc> broken_;   // Until the process or the machine is started anew.
  std::optional<Errc> refusal_;  // Until heal().
  bool cold_ = false;
  mutable Counts counts_;
};

}  // namespace naru::storage

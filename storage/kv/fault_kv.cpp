// storage/kv/fault_kv.cpp: two maps, and the list of commits that lie between them.

#include "storage/kv/fault_kv.hpp"

#include <algorithm>

namespace naru::storage {

Result<std::optional<Bytes>> FaultKv::get(Family family, BytesView key, Reach reach) const {
  {
    const std::lock_guard lock{mutex_};
    ++counts_.gets;
    if (cold_ && reach == Reach::cache) {
      return Error{Errc::not_cached, "the row may be on disk only; ask with Reach::disk"};
    }
  }
  return written_.get(family, key, reach);
}

std::unique_ptr<KvIterator> FaultKv::scan(Family family, BytesView from, BytesView to) const {
  {
    const std::lock_guard lock{mutex_};
    ++counts_.scans;
  }
  return written_.scan(family, from, to);
}

Result<void> FaultKv::commit(const Batch& batch, Durability durability) {
  const std::lock_guard lock{mutex_};
  ++counts_.commits;
  if (const auto code = due_fault()) {
    ++counts_.failed;
    return Error{*code, "failed because the test wants it"};
  }
  const auto done = written_.commit(batch, durability);
  unsynced_.push_back(batch);
  if (durability == Durability::synced) {
    ++counts_.synced;
    sync_first(unsynced_.size());
  }
  return done;
}

void FaultKv::fail_commit(std::uint64_t n, Errc code) {
  const std::lock_guard lock{mutex_};
  faults_.push_back({n, code});
}

void FaultKv::fail_commits(Errc code) {
  const std::lock_guard lock{mutex_};
  refusal_ = code;
}

void FaultKv::heal() {
  const std::lock_guard lock{mutex_};
  refusal_.reset();
}

void FaultKv::set_cold(bool cold) {
  const std::lock_guard lock{mutex_};
  cold_ = cold;
}

void FaultKv::crash() {
  const std::lock_guard lock{mutex_};
  broken_.reset();
}

void FaultKv::power_loss(std::size_t unsynced_kept) {
  const std::lock_guard lock{mutex_};
  broken_.reset();
  sync_first(std::min(unsynced_kept, unsynced_.size()));
  unsynced_.clear();
  written_.assign(synced_);
}

void FaultKv::sync() {
  const std::lock_guard lock{mutex_};
  sync_first(unsynced_.size());
}

std::size_t FaultKv::unsynced() const {
  const std::lock_guard lock{mutex_};
  return unsynced_.size();
}

FaultKv::Counts FaultKv::counts() const {
  const std::lock_guard lock{mutex_};
  return counts_;
}

std::optional<Errc> FaultKv::due_fault() {
  std::optional<Errc> struck = broken_ ? broken_ : refusal_;
  for (Fault& fault : faults_) {
    if (--fault.left == 0 && !struck) struck = fault.code;
  }
  std::erase_if(faults_, [](const Fault& fault) { return fault.left == 0; });
  if (struck && *struck != Errc::no_space) broken_ = struck;
  return struck;
}

void FaultKv::sync_first(std::size_t n) {
  const auto end = unsynced_.begin() + static_cast<std::ptrdiff_t>(n);
  for (auto batch = unsynced_.begin(); batch != end; ++batch) {
    // The model cannot fail.
    static_cast<void>(synced_.commit(*batch, Durability::synced).value());
  }
  unsynced_.erase(unsynced_.begin(), end);
}

}  // namespace naru::storage

// storage/kv/rocks_look.hpp
//
// RocksLook is the KvStore on disk for reading alone: nothing in its directory is changed, the log
// is read into memory and stays. A start looks with it at all it needs before RocksKv writes, and
// so do tools.
//
// Edge: files. Lives on any thread. Owned by whoever opened it; must outlive its iterators, and be
// gone before RocksKv opens the same store: it holds the store's lock.
// Bounded by: memory for the log, which RocksOptions::wal_bytes_max bounds.
#pragma once

#include <memory>
#include <string>

#include "storage/kv/rocks_kv.hpp"

namespace naru::storage {

class RocksLook final : public KvStore {
 public:
  // Errors as those of RocksKv::open(), and Errc::not_found: there is no store.
  static Result<std::unique_ptr<RocksLook>> open(const RocksOptions& options);
  ~RocksLook() override;

  // Errc::corrupt: what is there is damaged. newer: a later release wrote it.
  Result<std::optional<Bytes>> get(Family family, BytesView key,
                                   Reach reach = Reach::disk) const override;
  std::unique_ptr<KvIterator> scan(Family family, BytesView from, BytesView to) const override;
  Result<void> commit(const Batch& batch, Durability durability) override;  // Errc::refused.

 private:
  struct Parts;
  explicit RocksLook(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace naru::storage

// storage/kv/mem_kv.cpp: maps that are copied when an iterator still reads them.

#include "storage/kv/mem_kv.hpp"

#include <utility>

#include "storage/base/check.hpp"

namespace naru::storage {
namespace {

template <class Rows>
class MemIterator final : public KvIterator {
 public:
  MemIterator(std::shared_ptr<const Rows> rows, BytesView from, BytesView to)
      : rows_(std::move(rows)), at_(rows_->lower_bound(from)), end_(rows_->end()) {
    if (to.empty()) return;
    // An empty range may be written with its ends crossed; lower_bound would overshoot.
    end_ = from < to ? rows_->lower_bound(to) : at_;
  }

  bool valid() const override { return at_ != end_; }
  BytesView key() const override { return at_->first; }
  BytesView value() const override { return at_->second; }
  void next() override { ++at_; }
  Result<void> status() const override { return {}; }

 private:
  std::shared_ptr<const Rows> rows_;
  typename Rows::const_iterator at_;
  typename Rows::const_iterator end_;
};

}  // namespace

MemKv::MemKv() {
  for (auto& rows : families_) rows = std::make_shared<Rows>();
}

Result<std::optional<Bytes>> MemKv::get(Family family, BytesView key, Reach) const {
  const std::lock_guard lock{mutex_};
  const Rows& rows = *families_[static_cast<std::size_t>(family)];
  const auto found = rows.find(key);
  if (found == rows.end()) return std::optional<Bytes>{};
  return std::optional<Bytes>{found->second};
}

std::unique_ptr<KvIterator> MemKv::scan(Family family, BytesView from, BytesView to) const {
  const std::lock_guard lock{mutex_};
  return std::make_unique<MemIterator<Rows>>(families_[static_cast<std::size_t>(family)], from, to);
}

Result<void> MemKv::commit(const Batch& batch, Durability) {
  const std::lock_guard lock{mutex_};
  batch.each([this](const Batch::Change& change) { apply(change); });
  return {};
}

void MemKv::assign(const MemKv& other) {
  if (this == &other) return;
  const std::scoped_lock lock{mutex_, other.mutex_};
  // Each store copies its own maps before a change, so sharing is safe until then.
  families_ = other.families_;
}

void MemKv::apply(const Batch::Change& change) {
  Rows& rows = writable(change.family);
  switch (change.op) {
    case Batch::Op::put: rows.insert_or_assign(Bytes{change.key}, Bytes{change.value}); return;
    case Batch::Op::erase:
      if (const auto found = rows.find(change.key); found != rows.end()) rows.erase(found);
      return;
    case Batch::Op::erase_range:
      if (change.key < change.value) {
        rows.erase(rows.lower_bound(change.key), rows.lower_bound(change.value));
      }
      return;
    case Batch::Op::put_numbered: break;
  }
  NARU_CHECK(change.op != Batch::Op::put_numbered);  // Only the committer knows the number.
}

MemKv::Rows& MemKv::writable(Family family) {
  auto& rows = families_[static_cast<std::size_t>(family)];
  if (rows.use_count() > 1) rows = std::make_shared<Rows>(*rows);
  return *rows;
}

}  // namespace naru::storage

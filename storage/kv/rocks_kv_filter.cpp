// storage/kv/rocks_kv_filter.cpp: RowFilter in RocksDB's clothes.

#include "storage/kv/rocks_kv_parts.hpp"

namespace naru::storage {
namespace {

class RowsFilter final : public rocksdb::CompactionFilter {
 public:
  RowsFilter(const RowFilter& rows, Family family) : rows_(rows), family_(family) {}

  const char* Name() const override { return "NaruRowFilter"; }
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    return rows_.droppable(family_, to_view(key), to_view(value));
  }

 private:
  const RowFilter& rows_;
  const Family family_;
};

class FilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  FilterFactory(const RowFilter& rows, Family family) : rows_(rows), family_(family) {}

  const char* Name() const override { return "NaruRowFilterFactory"; }
  // At a flush too: most of a journal is passed by every cursor before it leaves memory.
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override {
    return reason == rocksdb::TableFileCreationReason::kFlush ||
           reason == rocksdb::TableFileCreationReason::kCompaction;
  }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<RowsFilter>(rows_, family_);
  }

 private:
  const RowFilter& rows_;
  const Family family_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_filter_factory(const RowFilter& filter,
                                                                      Family family) {
  return std::make_shared<FilterFactory>(filter, family);
}

}  // namespace naru::storage

// tools/naru/store_check.hpp
//
// Reads every row of a store that no broker has open, as a start would and beyond, and counts what
// this release cannot read.
//
// Edge: reads the RocksDB, and changes nothing in it.
// Lives on the one thread of naru. Bounded by: memory, which holds what a broker would hold.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/base/result.hpp"
#include "storage/kv/kv_store.hpp"

namespace naru::tools {

struct StoreFindings {
  std::uint64_t rows = 0;  // That were read, of all families.
  std::uint64_t sessions = 0, queued = 0, retained = 0;
  std::uint64_t journal_entries = 0, stream_records = 0;
  std::uint64_t missing = 0;     // Places in queues whose message the journal does not have.
  std::uint64_t unreadable = 0;  // Rows.
};

// Errc::not_found: there is no store. busy: a broker has it. corrupt, newer: as at its start.
Result<std::unique_ptr<storage::KvStore>> open_store_at_rest(const std::string& data);
Result<StoreFindings> check_rows(const storage::KvStore& store);

}  // namespace naru::tools

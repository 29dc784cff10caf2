// tools/naru/store_dump.hpp
//
// The rows of a store that no broker has open, decoded, as JSON: one value a row.
//
// Edge: reads a KvStore. Lives on the one thread of naru. Bounded by: one row at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "storage/kv/kv_store.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {

struct DumpChoice {
  std::string family;                 // Empty: all of them.
  std::optional<std::uint16_t> lane;  // Rows without a lane, of retained and meta, are left out.
  std::string client_id;              // Rows of this client and its session alone.
};

// Calls show(row) for each row that is chosen, family by family in order of their keys, until it
// says false. {"family": ..., "kind": ..., "lane": ..., ...}; a row that this release cannot read
// has "unreadable": true and its value in base64. Errc::invalid: there is no such family.
Result<void> dump_rows(const storage::KvStore& store, const DumpChoice& choice,
                       const std::function<bool(const Json&)>& show);
const char* family_name(storage::Family family);
// The names that DumpChoice::family may have, separated by ", ".
std::string family_names();

}  // namespace naru::tools

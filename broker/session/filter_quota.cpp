#include "broker/session/filter_quota.hpp"

#include <algorithm>
#include <utility>

#include "broker/mqtt/types.hpp"

namespace naru::broker {

using storage::FilterRow;

void refuse_beyond_limit(const std::vector<FilterRow>& there, std::vector<FilterRow>& rows,
                         Bytes& codes, std::size_t most) {
  if (there.size() + rows.size() <= most) return;
  const auto is_there = [&](const FilterRow& row) {
    return std::ranges::find(there, row.filter, &FilterRow::filter) != there.end();
  };
  std::vector<FilterRow> kept;
  std::size_t filters = there.size();
  auto row = rows.begin();
  for (char& code : codes) {
    if (static_cast<std::uint8_t>(code) >= 0x80) continue;  // Refused before: it has no row.
    if (is_there(*row) || filters++ < most) {
      kept.push_back(std::move(*row));
    } else {
      code = static_cast<char>(mqtt::ReasonCode::quota_exceeded);
    }
    ++row;
  }
  rows = std::move(kept);
}

}  // namespace naru::broker

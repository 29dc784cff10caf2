// broker/session/filter_quota.hpp
//
// How many filters a session may have, whether it lasts or not.
//
// Sans-IO; pure. Lives on any shard.
#pragma once

#include <vector>

#include "storage/tables/session_records.hpp"

namespace naru::broker {

// Takes those of the rows away that the session has no room for, and puts 0x97 in their place into
// the codes of the SUBACK; a filter that is already there needs no room.
// REQUIRES: a row for each code below 0x80, in the same order.
void refuse_beyond_limit(const std::vector<storage::FilterRow>& there,
                         std::vector<storage::FilterRow>& rows, Bytes& codes, std::size_t most);

}  // namespace naru::broker

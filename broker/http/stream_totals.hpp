// broker/http/stream_totals.hpp
//
// What all lanes together hold of each stream, as /v1/status and /v1/streams tell it.
//
// Sans-IO values. Counted by broker/http/lane_tally.hpp.
#pragma once

#include <map>

#include "broker/http/control.hpp"
#include "broker/http/json_text.hpp"

namespace naru::broker {

struct StreamTotals {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t keys = 0;  // A key lies in one lane, so these add up as well.
};
using StreamTotalsByName = std::map<Bytes, StreamTotals, std::less<>>;

void add_stream(StreamTotals& total, const StreamTotals& part);

// The configured streams in their order, the dead letters, then what else there still is.
std::vector<NodeFacts::Stream> all_streams(const NodeFacts& facts,
                                           const StreamTotalsByName& totals);
Json stream_json(BytesView name, const StreamTotalsByName& totals);

}  // namespace naru::broker

#include "broker/http/stream_totals.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "broker/stream/rule.hpp"

namespace naru::broker {

void add_stream(StreamTotals& total, const StreamTotals& part) {
  total.records += part.records;
  total.bytes += part.bytes;
  total.keys += part.keys;
}

std::vector<NodeFacts::Stream> all_streams(const NodeFacts& facts,
                                           const StreamTotalsByName& totals) {
  std::vector<NodeFacts::Stream> streams = facts.streams;
  const auto add_name = [&streams](BytesView name) {
    if (std::ranges::find(streams, name, &NodeFacts::Stream::name) == streams.end()) {
      streams.push_back({Bytes{name}, 0});
    }
  };
  add_name(dead_letter_stream);
  for (const auto& [name, stream] : totals) {
    if (stream.records != 0) add_name(name);
  }
  return streams;
}

Json stream_json(BytesView name, const StreamTotalsByName& totals) {
  const auto found = totals.find(name);
  const StreamTotals stream = found != totals.end() ? found->second : StreamTotals{};
  Json json;
  json["name"] = name;
  json["records"] = stream.records;
  json["bytes"] = stream.bytes;
  json["keys"] = stream.keys;
  return json;
}

}  // namespace naru::broker

// broker/http/json_text.hpp
//
// JSON in and out, with bounds: what comes from outside may nest so deep and no deeper, and what
// goes out is always valid UTF-8.
//
// Sans-IO; pure. Lives on any thread. Bounded by json_depth_max; sizes by whoever has the text.
#pragma once

#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "storage/base/bytes.hpp"

namespace naru::broker {

using Json = nlohmann::ordered_json;

// Writing and walking JSON recurses, so its depth must not be for others to choose.
inline constexpr int json_depth_max = 64;

// Nothing where the text is not JSON or nests deeper than that.
std::optional<Json> parse_json(BytesView text);
// Bytes that are not UTF-8 become replacement characters.
Bytes dump(const Json& json);

// "payload": text, or "payload_base64" where it is not UTF-8.
void add_payload(Json& object, BytesView payload);

}  // namespace naru::broker

// broker/stream/json_fields.hpp
//
// Reads named fields out of a JSON text without building the document.
//
// Sans-IO; pure. Lives on any thread. Bounded by: the text, and json_depth_max levels.
#pragma once

#include <optional>
#include <vector>

#include "storage/base/bytes.hpp"

namespace naru::broker {

inline constexpr std::size_t json_depth_max = 64;

struct JsonFields {
  bool valid = false;                        // False: the text is not JSON.
  std::vector<std::optional<Bytes>> values;  // By path; numbers and booleans as their text.
};

// paths: names with dots between, such as "position.lat". Only strings, numbers and booleans are
// values; a path that ends in an object, an array or null has none.
JsonFields read_json_fields(BytesView text, const std::vector<Bytes>& paths);

}  // namespace naru::broker

#include "broker/http/json_text.hpp"

#include <nlohmann/json.hpp>

#include "broker/mqtt/topics.hpp"
#include "storage/base/base64.hpp"

namespace naru::broker {

namespace {

bool nests_too_deep(BytesView text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > json_depth_max) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// Zeros are UTF-8 here, though MQTT's strings may not hold them.
bool is_utf8(BytesView text) {
  while (true) {
    const std::size_t zero = text.find('\0');
    if (!mqtt::valid_utf8(text.substr(0, zero))) return false;
    if (zero == BytesView::npos) return true;
    text.remove_prefix(zero + 1);
  }
}

}  // namespace

std::optional<Json> parse_json(BytesView text) {
  if (nests_too_deep(text)) return std::nullopt;
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  return json;
}

Bytes dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void add_payload(Json& object, BytesView payload) {
  if (is_utf8(payload)) {
    object["payload"] = payload;
  } else {
    object["payload_base64"] = encode_base64(payload);
  }
}

}  // namespace naru::broker

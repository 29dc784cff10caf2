// tools/naru/message_text.cpp
#include "tools/naru/message_text.hpp"

#include <algorithm>

#include "broker/mqtt/properties.hpp"
#include "broker/mqtt/topics.hpp"
#include "tools/naru/output.hpp"

namespace naru::tools {
namespace {

std::string_view property_name(std::uint8_t id) {
  for (const mqtt::PropertyRow& row : mqtt::property_rows()) {
    if (row.id == id) return row.name;
  }
  return "unknown";
}

Json property_value(const mqtt::Property& property) {
  if (property.id == mqtt::property::user_property) return Bytes{property.value};
  if (property.bytes.empty()) return property.number;
  if (!mqtt::valid_utf8(property.bytes)) return base64(property.bytes);
  return Bytes{property.bytes};
}

void add_properties(Json& line, const mqtt::Publish& message) {
  for (const mqtt::Property& property : mqtt::PropertyRange{message.properties}) {
    if (property.id == mqtt::property::user_property) {
      line["properties"][Bytes{property.bytes}] = property_value(property);
    } else if (property.id != mqtt::property::topic_alias) {
      line[Bytes{property_name(property.id)}] = property_value(property);
    }
  }
}

}  // namespace

std::string message_text(const mqtt::Publish& message, const MessageForm& form, WallMillis now) {
  if (!form.json) {
    std::string text;
    if (form.with_topic) text.append(message.topic).append(" ");
    return text.append(message.payload).append("\n");
  }
  Json line{{"at", now},
            {"topic", Bytes{message.topic}},
            {"qos", static_cast<int>(message.qos)},
            {"retain", message.retain},
            {"dup", message.dup}};
  if (form.version == mqtt::Version::v5) add_properties(line, message);
  if (mqtt::valid_utf8(message.payload)) {
    line["payload"] = Bytes{message.payload};
  } else {
    line["payload_base64"] = base64(message.payload);
  }
  return line.dump() + "\n";
}

std::string base64(BytesView bytes) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= n ? digits[group >> (18 - 6 * k) & 63u] : '=';
    }
  }
  return out;
}

}  // namespace naru::tools

#include "broker/mqtt/bridge_path.hpp"

#include "storage/base/byte_writer.hpp"

namespace naru::mqtt {

namespace {
constexpr BytesView via_property = "naru-via";
}  // namespace

Bytes node_text(std::uint64_t node) {
  static constexpr BytesView digits = "0123456789abcdef";
  Bytes text;
  for (int shift = 60; shift >= 0; shift -= 4) text.push_back(digits[node >> shift & 15]);
  return text;
}

bool has_passed(BytesView properties, BytesView node) {
  if (properties.empty() || node.empty()) return false;
  for (const Property& pair : UserProperties{properties}) {
    if (pair.bytes == via_property && pair.value == node) return true;
  }
  return false;
}

BytesView bridge_node(const UserProperties& properties) {
  for (const Property& pair : properties) {
    if (pair.bytes == bridge_property) return pair.value;
  }
  return {};
}

void append_user_property(Bytes& properties, BytesView name, BytesView value) {
  ByteWriter writer{properties};
  writer.u8(property::user_property);
  writer.block16(name);
  writer.block16(value);
}

void append_passage(Bytes& properties, BytesView node) {
  if (node.empty() || has_passed(properties, node)) return;
  append_user_property(properties, via_property, node);
}

}  // namespace naru::mqtt

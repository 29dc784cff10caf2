#include "broker/auth/policy_values.hpp"

#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

bool fits(BytesView text) { return !text.empty() && text.size() <= limits::policy_value_bytes; }

}  // namespace

void NamedValues::add(BytesView name, BytesView value) {
  if (!fits(name) || !fits(value)) return;
  constexpr std::size_t size_bytes = 2;
  packed_.reserve(packed_.size() + 2 * size_bytes + name.size() + value.size());
  ByteWriter writer{packed_};
  writer.block16(name);
  writer.block16(value);
}

std::optional<BytesView> NamedValues::find(BytesView name) const {
  ByteReader in{packed_};
  while (!in.empty()) {
    const BytesView each = in.block16(), value = in.block16();
    if (each == name) return value;
  }
  return std::nullopt;
}

}  // namespace naru::broker

#include "broker/auth/policy_values.hpp"

#include "storage/base/limits.hpp"

namespace naru::broker {

namespace {

constexpr std::size_t size_bytes = 2;

void append_size(Bytes& out, std::size_t size) {
  out.push_back(static_cast<char>(size >> 8));
  out.push_back(static_cast<char>(size & 0xff));
}

std::size_t take_size(BytesView& in) {
  const auto high = static_cast<unsigned char>(in[0]), low = static_cast<unsigned char>(in[1]);
  in.remove_prefix(size_bytes);
  return std::size_t{high} << 8 | low;
}

BytesView take(BytesView& in, std::size_t size) {
  const BytesView taken = in.substr(0, size);
  in.remove_prefix(size);
  return taken;
}

bool fits(BytesView text) { return !text.empty() && text.size() <= limits::policy_value_bytes; }

}  // namespace

void NamedValues::add(BytesView name, BytesView value) {
  if (!fits(name) || !fits(value)) return;
  packed_.reserve(packed_.size() + 2 * size_bytes + name.size() + value.size());
  append_size(packed_, name.size());
  append_size(packed_, value.size());
  packed_.append(name).append(value);
}

std::optional<BytesView> NamedValues::find(BytesView name) const {
  BytesView rest = packed_;
  while (!rest.empty()) {
    const std::size_t name_size = take_size(rest), value_size = take_size(rest);
    const BytesView each = take(rest, name_size), value = take(rest, value_size);
    if (each == name) return value;
  }
  return std::nullopt;
}

}  // namespace naru::broker

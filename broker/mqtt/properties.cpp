// broker/mqtt/properties.cpp: MQTT 5.0 table 2-4. Decoder, ranges, and tests walk this table; what
// is not a row here does not exist.

#include "broker/mqtt/properties.hpp"

#include <algorithm>
#include <functional>

#include "broker/mqtt/topics.hpp"

namespace naru::mqtt {
namespace {

constexpr Places reasons = place::connack | place::acks | place::suback | place::unsuback |
                           place::disconnect | place::auth;
constexpr Places message = place::publish | place::will;
constexpr Places both = place::connect | place::connack;
constexpr Places no = place::nowhere;

// clang-format off
constexpr std::array rows{
  PropertyRow{0x01, Wire::byte,      Rule::zero_or_one, message,                            no, "payload_format_indicator"},
  PropertyRow{0x02, Wire::u32,       Rule::any,         message,                            no, "message_expiry_interval"},
  PropertyRow{0x03, Wire::utf8,      Rule::any,         message,                            no, "content_type"},
  PropertyRow{0x08, Wire::utf8,      Rule::topic,       message,                            no, "response_topic"},
  PropertyRow{0x09, Wire::binary,    Rule::any,         message,                            no, "correlation_data"},
  PropertyRow{0x0b, Wire::varint,    Rule::not_zero,    place::publish | place::subscribe,  place::publish, "subscription_identifier"},
  PropertyRow{0x11, Wire::u32,       Rule::any,         both | place::disconnect,           no, "session_expiry_interval"},
  PropertyRow{0x12, Wire::utf8,      Rule::any,         place::connack,                     no, "assigned_client_identifier"},
  PropertyRow{0x13, Wire::u16,       Rule::any,         place::connack,                     no, "server_keep_alive"},
  PropertyRow{0x15, Wire::utf8,      Rule::any,         both | place::auth,                 no, "authentication_method"},
  PropertyRow{0x16, Wire::binary,    Rule::any,         both | place::auth,                 no, "authentication_data"},
  PropertyRow{0x17, Wire::byte,      Rule::zero_or_one, place::connect,                     no, "request_problem_information"},
  PropertyRow{0x18, Wire::u32,       Rule::any,         place::will,                        no, "will_delay_interval"},
  PropertyRow{0x19, Wire::byte,      Rule::zero_or_one, place::connect,                     no, "request_response_information"},
  PropertyRow{0x1a, Wire::utf8,      Rule::any,         place::connack,                     no, "response_information"},
  PropertyRow{0x1c, Wire::utf8,      Rule::any,         place::connack | place::disconnect, no, "server_reference"},
  PropertyRow{0x1f, Wire::utf8,      Rule::any,         reasons,                            no, "reason_string"},
  PropertyRow{0x21, Wire::u16,       Rule::not_zero,    both,                               no, "receive_maximum"},
  PropertyRow{0x22, Wire::u16,       Rule::any,         both,                               no, "topic_alias_maximum"},
  PropertyRow{0x23, Wire::u16,       Rule::not_zero,    place::publish,                     no, "topic_alias"},
  PropertyRow{0x24, Wire::byte,      Rule::zero_or_one, place::connack,                     no, "maximum_qos"},
  PropertyRow{0x25, Wire::byte,      Rule::zero_or_one, place::connack,                     no, "retain_available"},
  PropertyRow{0x26, Wire::utf8_pair, Rule::any,         place::everywhere,                  place::everywhere, "user_property"},
  PropertyRow{0x27, Wire::u32,       Rule::not_zero,    both,                               no, "maximum_packet_size"},
  PropertyRow{0x28, Wire::byte,      Rule::zero_or_one, place::connack,                     no, "wildcard_subscription_available"},
  PropertyRow{0x29, Wire::byte,      Rule::zero_or_one, place::connack,                     no, "subscription_identifier_available"},
  PropertyRow{0x2a, Wire::byte,      Rule::zero_or_one, place::connack,                     no, "shared_subscription_available"},
};
// clang-format on

static_assert(rows.size() == 27);
static_assert(std::ranges::adjacent_find(rows, std::greater_equal{}, &PropertyRow::id) ==
              rows.end());
static_assert(rows.back().id < 64, "read_property keeps one bit per id in 64");
static_assert(std::ranges::all_of(rows, [](const PropertyRow& row) {
  return (row.repeatable & ~row.allowed) == 0;
}));

// Row number + 1 by id; 0 where there is no such property.
constexpr auto row_numbers = [] {
  std::array<std::uint8_t, 64> numbers{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    numbers[rows[i].id] = static_cast<std::uint8_t>(i + 1);
  }
  return numbers;
}();

const PropertyRow* find_row(std::uint8_t id) {
  if (id >= row_numbers.size() || row_numbers[id] == 0) return nullptr;
  return &rows[row_numbers[id] - 1u];
}

void read_value(ByteReader& in, Wire wire, Property& out) {
  switch (wire) {
    case Wire::byte: out.number = in.u8(); return;
    case Wire::u16: out.number = in.u16(); return;
    case Wire::u32: out.number = in.u32(); return;
    case Wire::varint: out.number = minimal_varint(in); return;
    case Wire::utf8:
    case Wire::binary: out.bytes = in.block16(); return;
    case Wire::utf8_pair:
      out.bytes = in.block16();
      out.value = in.block16();
      return;
  }
}

DecodeError check_value(const PropertyRow& row, const Property& read) {
  if (row.wire == Wire::utf8_pair || row.wire == Wire::utf8) {
    if (!valid_utf8(read.bytes) || !valid_utf8(read.value)) return DecodeError::malformed;
  }
  bool good = true;
  switch (row.rule) {
    case Rule::any: break;
    case Rule::zero_or_one: good = read.number <= 1; break;
    case Rule::not_zero: good = read.number != 0; break;
    case Rule::topic: good = valid_topic(read.bytes); break;
  }
  if (good) return DecodeError::none;
  return row.id == property::topic_alias ? DecodeError::topic_alias_invalid
                                         : DecodeError::property_value;
}

}  // namespace

std::span<const PropertyRow> property_rows() { return rows; }

DecodeError read_property(ByteReader& block, Places here, std::uint64_t& seen, Property& out) {
  // Identifiers are variable byte integers, but all that exist have one byte.
  const PropertyRow* row = find_row(block.u8());
  if (row == nullptr) return DecodeError::property_unknown;
  if ((row->allowed & here) == 0) return DecodeError::property_misplaced;
  const std::uint64_t bit = std::uint64_t{1} << row->id;
  if ((seen & bit) != 0 && (row->repeatable & here) == 0) return DecodeError::property_repeated;
  seen |= bit;
  out = Property{};
  out.id = row->id;
  read_value(block, row->wire, out);
  return block.ok() ? check_value(*row, out) : DecodeError::malformed;
}

bool next_property(ByteReader& block, Property& out) {
  if (block.empty()) return false;
  out = Property{};
  const PropertyRow* row = find_row(block.u8());
  if (row == nullptr) return false;
  out.id = row->id;
  read_value(block, row->wire, out);
  return block.ok();
}

bool next_user_property(ByteReader& block, Property& out) {
  while (next_property(block, out)) {
    if (out.id == property::user_property) return true;
  }
  return false;
}

bool next_subscription_id(ByteReader& block, std::uint32_t& out) {
  Property found;
  while (next_property(block, found)) {
    if (found.id != property::subscription_identifier) continue;
    out = found.number;
    return true;
  }
  return false;
}

void copy_properties_without(BytesView raw, std::span<const std::uint8_t> ids, Bytes& out) {
  ByteReader in{raw};
  BytesView before = raw;
  Property found;
  while (next_property(in, found)) {
    const bool wanted = std::ranges::find(ids, found.id) == ids.end();
    if (wanted) out.append(before.substr(0, before.size() - in.left()));
    before = in.rest();
  }
}

}  // namespace naru::mqtt

// broker/mqtt/properties.hpp
//
// The properties of MQTT 5: one table, one walker that checks, one range over what was checked.
//
// Sans-IO:    bytes in, values and views out. Nothing is copied but by copy_properties_without.
// Lives on:   any thread; values and pure functions.
// Owned by:   nobody. A Property points into the packet it was read from.
// Bounded by: the packet. Spec: MQTT 5.0 section 2.2.2.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "broker/mqtt/decode_error.hpp"
#include "broker/mqtt/lazy_range.hpp"
#include "broker/mqtt/varint.hpp"
#include "storage/base/byte_reader.hpp"

namespace naru::mqtt {

namespace property {
inline constexpr std::uint8_t payload_format_indicator = 0x01, message_expiry_interval = 0x02,
                              content_type = 0x03, response_topic = 0x08, correlation_data = 0x09,
                              subscription_identifier = 0x0b, session_expiry_interval = 0x11,
                              assigned_client_identifier = 0x12, server_keep_alive = 0x13,
                              authentication_method = 0x15, authentication_data = 0x16,
                              request_problem_information = 0x17, will_delay_interval = 0x18,
                              request_response_information = 0x19, response_information = 0x1a,
                              server_reference = 0x1c, reason_string = 0x1f, receive_maximum = 0x21,
                              topic_alias_maximum = 0x22, topic_alias = 0x23, maximum_qos = 0x24,
                              retain_available = 0x25, user_property = 0x26,
                              maximum_packet_size = 0x27, wildcard_subscription_available = 0x28,
                              subscription_identifier_available = 0x29,
                              shared_subscription_available = 0x2a;
}  // namespace property

// Where a property may stand: one bit per packet, plus the will inside CONNECT.
using Places = std::uint16_t;
namespace place {
inline constexpr Places nowhere = 0, connect = 1 << 0, connack = 1 << 1, publish = 1 << 2,
                        will = 1 << 3, subscribe = 1 << 4, suback = 1 << 5, acks = 1 << 6,
                        disconnect = 1 << 7, auth = 1 << 8, unsubscribe = 1 << 9,
                        unsuback = 1 << 10, everywhere = (1 << 11) - 1;
}  // namespace place

// Wire is how the value is written, Rule what it may be (text is always valid UTF-8).
enum class Wire : std::uint8_t { byte, u16, u32, varint, utf8, binary, utf8_pair };
enum class Rule : std::uint8_t { any, zero_or_one, not_zero, topic };

struct PropertyRow {
  std::uint8_t id;
  Wire wire;
  Rule rule;
  Places allowed;
  Places repeatable;  // Where it may stand more than once; a subset of allowed.
  std::string_view name;
};

// All of them, by ascending id.
std::span<const PropertyRow> property_rows();

struct Property {
  std::uint8_t id = 0;
  std::uint32_t number = 0;  // byte, u16, u32 and varint.
  BytesView bytes{};         // utf8 and binary; the name of a pair.
  BytesView value{};         // The value of a pair.
};

// Reads and checks one property. `seen` has a bit per id and starts at 0 for each block.
DecodeError read_property(ByteReader& block, Places here, std::uint64_t& seen, Property& out);

// Reads a block with its length in front, checks all of it, and calls visit(property) for each
// property in order. `raw` becomes the block without its length.
template <class Visitor>
DecodeError decode_properties(ByteReader& in, Places here, BytesView& raw, Visitor&& visit) {
  raw = in.bytes(minimal_varint(in));
  if (!in.ok()) return DecodeError::malformed;
  ByteReader block{raw};
  std::uint64_t seen = 0;
  Property found;
  while (!block.empty()) {
    const DecodeError error = read_property(block, here, seen, found);
    if (error != DecodeError::none) return error;
    visit(found);
  }
  return DecodeError::none;
}

// For blocks that were checked before.
bool next_property(ByteReader& block, Property& out);
bool next_user_property(ByteReader& block, Property& out);
bool next_subscription_id(ByteReader& block, std::uint32_t& out);

using PropertyRange = LazyRange<Property, next_property>;
using UserProperties = LazyRange<Property, next_user_property>;  // .bytes = .value
using SubscriptionIds = LazyRange<std::uint32_t, next_subscription_id>;

// Belongs to one hop of a message and is written anew for the next; all else passes unchanged.
inline constexpr std::array hop_properties{property::message_expiry_interval,
                                           property::subscription_identifier,
                                           property::will_delay_interval, property::topic_alias};

// Appends the properties of a checked block to `out`, in order, but for those with one of `ids`.
void copy_properties_without(BytesView raw, std::span<const std::uint8_t> ids, Bytes& out);

}  // namespace naru::mqtt

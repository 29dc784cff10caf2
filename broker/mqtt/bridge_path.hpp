// broker/mqtt/bridge_path.hpp
//
// How a message that goes over bridges of MQTT 5 remembers where it has been: each of our bridges
// adds a user property with the id of the node that a message leaves, and what has been somewhere
// does not go there again. So no ring of brokers turns for ever, whoever bridges to whom.
//
// Sans-IO:    pure functions over blocks of properties without their length.
// Lives on:   any thread.
// Owned by:   nobody.
// Bounded by: the properties of one message.
#pragma once

#include <cstdint>

#include "broker/mqtt/properties.hpp"

namespace naru::mqtt {

// The name of a user property in CONNECT: the client is a bridge of the node in its value; and in
// the CONNACK that such a bridge gets: the node it has reached.
inline constexpr BytesView bridge_property = "naru-bridge";

// A node's id as these properties have it: 16 hexadecimal digits.
Bytes node_text(std::uint64_t node);

// REQUIRES: `properties` were checked.
// `node` as text; empty: a node without id, where nothing has been.
bool has_passed(BytesView properties, BytesView node);
void append_passage(Bytes& properties, BytesView node);
// Which node a bridge says it comes from or has reached; empty: it says nothing.
BytesView bridge_node(const UserProperties& properties);
void append_user_property(Bytes& properties, BytesView name, BytesView value);

}  // namespace naru::mqtt

// broker/session/topic_kind.hpp
//
// Which topics a client may publish to: command topics belong to the broker, and a device may
// answer its own.
//
// Sans-IO; pure.
#pragma once

#include "storage/base/bytes.hpp"

namespace naru::broker {

enum class TopicKind : unsigned char { ordinary, reply, forbidden };
inline constexpr BytesView brokers_own = "the topic is the broker's own";

// prefix: of the topics of commands. Fills in command_id where the topic is a reply's.
TopicKind topic_kind(BytesView topic, BytesView prefix, BytesView client_id, BytesView& command_id);

}  // namespace naru::broker

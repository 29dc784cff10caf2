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

struct TopicAsker {
  BytesView client_id;
  bool own_bridge = false;  // One of ours: it may tell whether any bridge is up.
};

// prefix: of the topics of commands. Fills in command_id where the topic is a reply's.
TopicKind topic_kind(BytesView topic, BytesView prefix, const TopicAsker& who,
                     BytesView& command_id);

}  // namespace naru::broker

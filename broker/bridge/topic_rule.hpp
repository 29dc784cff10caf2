// broker/bridge/topic_rule.hpp
//
// TopicRule is one `topic` line of a bridge: which topics cross it, in which direction, with which
// QoS at most, and how their prefixes change on the way.
//
// Sans-IO. Lives on any thread; a value, owned by the bridge's settings.
// Bounded by: the rules of a configuration; mapping walks them in their order.
#pragma once

#include <optional>
#include <vector>

#include "broker/mqtt/types.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace naru::broker {

// The two brokers a bridge stands between.
enum class Side : std::uint8_t { local, remote };
constexpr Side other(Side side) { return side == Side::local ? Side::remote : Side::local; }

struct TopicRule {
  enum class Direction : std::uint8_t { out, in, both };

  Bytes pattern;  // Empty: the prefixes are two whole topics.
  Direction direction = Direction::out;
  mqtt::Qos qos = mqtt::Qos::at_most_once;
  Bytes local_prefix, remote_prefix;

  // PATTERN [out|in|both [QOS [LOCAL-PREFIX REMOTE-PREFIX]]], where "" is nothing.
  static Result<TopicRule> parse(BytesView text);

  // Whether messages go from that side to the other.
  bool leads_from(Side side) const {
    return direction == Direction::both || (direction == Direction::out) == (side == Side::local);
  }
  const Bytes& prefix(Side side) const {
    return side == Side::local ? local_prefix : remote_prefix;
  }
  Bytes filter(Side side) const { return prefix(side) + pattern; }

  bool operator==(const TopicRule&) const = default;
};

// What the topic of a message from that side is called on the other; the first rule counts.
// Nothing: no rule takes it.
std::optional<Bytes> map_topic(const std::vector<TopicRule>& rules, Side from, BytesView topic);

}  // namespace naru::broker

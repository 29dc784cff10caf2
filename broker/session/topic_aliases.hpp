// broker/session/topic_aliases.hpp
//
// TopicAliases are the short numbers for topics on one connection of MQTT 5, in both directions.
//
// Sans-IO. Lives on the connection's shard; not thread-safe. Owned by Connection, by value, so that
// a new connection knows none. Bounded by: the two maxima, each times the size of a topic; 16 bytes
// until the first one is used.
// Spec: MQTT 5.0 section 3.3.2.3.4.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "broker/mqtt/types.hpp"
#include "broker/routing/filter_index.hpp"
#include "storage/base/bytes.hpp"

namespace naru::broker {

class TopicAliases {
 public:
  TopicAliases() = default;  // Neither side may use any.
  // `ours`: what the client may use, told in CONNACK. `theirs`: what we may use to it.
  TopicAliases(std::uint16_t ours, std::uint16_t theirs) : ours_{ours}, theirs_{theirs} {}

  // For a PUBLISH of the client. Remembers its topic; where that is empty, `topic` becomes what
  // the alias stands for, valid until the alias is set again.
  // Refuses with topic_alias_invalid beyond the maximum, protocol_error for one never set.
  mqtt::ReasonCode resolve(std::uint16_t alias, BytesView& topic);

  bool may_send() const { return theirs_ != 0; }
  // For a PUBLISH to the client: the first topics get one each and keep it.
  struct Choice {
    std::uint16_t alias = 0;  // 0: none is left.
    bool known = false;       // To the client: the topic may be left out.
  };
  Choice choose(BytesView topic) const;
  void sent(BytesView topic, const Choice& choice);  // What choose() said is on its way.

 private:
  struct Known {
    std::vector<Bytes> received;  // By alias - 1; empty: not set.
    TextMap<std::uint16_t> sent;
  };
  Known& known();

  std::uint16_t ours_ = 0;
  std::uint16_t theirs_ = 0;
  std::unique_ptr<Known> known_;
};

}  // namespace naru::broker

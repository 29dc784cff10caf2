// Front's part that judges the wills of those who come in.

#include "broker/session/connection_values.hpp"
#include "broker/session/delayed_topic.hpp"
#include "broker/session/front.hpp"
#include "broker/session/topic_kind.hpp"

namespace naru::broker {

using mqtt::ReasonCode;
using mqtt::Version;

NotOffered Front::judge_will(Connection& c, mqtt::Connect& connect) {
  const BytesView topic = connect.will->topic;
  if (is_delayed(topic)) {
    explain(c, Denial::Kind::publish, topic, Bytes{no_delayed_will});
    return {ReasonCode::topic_name_invalid, no_delayed_will};
  }
  BytesView ignored;
  const TopicKind kind =
      topic_kind(topic, settings_.command_prefix, {c.client_id, c.peer.own_bridge}, ignored);
  if (kind != TopicKind::ordinary) {
    explain(c, Denial::Kind::publish, topic, Bytes{brokers_own});
    return {ReasonCode::not_authorized, {}};
  }
  if (is_too_large(settings_, connect.will->payload)) {
    explain(c, Denial::Kind::publish, topic, Bytes{payload_too_large});
    if (c.version != Version::v5) return {ReasonCode::not_authorized, {}};
    return {ReasonCode::packet_too_large, payload_too_large};
  }
  const mqtt::Will& will = *connect.will;
  if (const auto lacks = find_not_offered(settings_, c.peer, will.qos, will.retain)) {
    explain(c, Denial::Kind::publish, topic, Bytes{lacks->why});
    return c.version == Version::v5 ? *lacks : NotOffered{ReasonCode::not_authorized, {}};
  }
  const bool by_files = !c.is_ruled() || may(c, Denial::Kind::publish, topic);
  if (by_files && was_granted(c, Denial::Kind::publish, topic)) return {};
  const KnownRight* const right = by_files ? find_right(c, Access::write, topic) : nullptr;
  if (right != nullptr && !right->fault.empty()) return {ReasonCode::server_unavailable, {}};
  if (c.version == Version::v5) return {ReasonCode::not_authorized, {}};
  connect.will.reset();  // As mosquitto has it: the client comes in, its will goes nowhere.
  return {};
}

std::optional<storage::WillRow> Front::will_row(const Connection& c, const mqtt::Will& will) {
  storage::MessageView view;
  view.origin = publisher_.next_origin();
  view.stamp.received_at = wall_;
  view.qos = static_cast<std::uint8_t>(will.qos);
  view.retain = will.retain;
  view.sender = c.client_id;
  view.topic = will.topic;
  view.properties = passing_properties(will.properties, will.properties_clean);
  view.payload = will.payload;
  Bytes encoded;
  storage::encode_message(view, encoded);
  return storage::WillRow{std::make_shared<const Bytes>(std::move(encoded)), will.delay_interval,
                          will.expiry.value_or(0)};
}

}  // namespace naru::broker

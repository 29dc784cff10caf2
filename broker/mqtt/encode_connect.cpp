// broker/mqtt/encode_connect.cpp: the packets a connection begins and ends with. A property is
// written only where its absence would mean something else.

#include "broker/mqtt/block_writer.hpp"
#include "broker/mqtt/encoder.hpp"

namespace naru::mqtt {
namespace {

void write_pairs(BlockWriter& block, const UserProperties& pairs) {
  for (const Property& pair : pairs) {
    block.text(property::user_property, pair.bytes);
    block.text(pair.value);
  }
}

void write_properties(const Connect& connect, Bytes& out) {
  BlockWriter block{out};
  if (connect.session_expiry_interval != 0) {
    block.u32(property::session_expiry_interval, connect.session_expiry_interval);
  }
  if (connect.receive_maximum != 65'535) {
    block.u16(property::receive_maximum, connect.receive_maximum);
  }
  if (connect.maximum_packet_size != 0) {
    block.u32(property::maximum_packet_size, connect.maximum_packet_size);
  }
  if (connect.topic_alias_maximum != 0) {
    block.u16(property::topic_alias_maximum, connect.topic_alias_maximum);
  }
  if (connect.request_response_information) {
    block.flag(property::request_response_information, true);
  }
  if (!connect.request_problem_information) {
    block.flag(property::request_problem_information, false);
  }
  block.text(property::authentication_method, connect.authentication_method);
  block.text(property::authentication_data, connect.authentication_data);
  write_pairs(block, connect.user_properties);
  block.close();
}

void write_properties(const Will& will, Bytes& out) {
  BlockWriter block{out};
  if (will.delay_interval != 0) block.u32(property::will_delay_interval, will.delay_interval);
  if (will.expiry) block.u32(property::message_expiry_interval, *will.expiry);
  if (will.properties_clean) {
    block.raw().bytes(will.properties);
  } else {
    copy_properties_without(will.properties, hop_properties, out);
  }
  block.close();
}

void write_properties(const Connack& connack, Bytes& out) {
  BlockWriter block{out};
  if (connack.session_expiry_interval) {
    block.u32(property::session_expiry_interval, *connack.session_expiry_interval);
  }
  if (connack.receive_maximum != 65'535) {
    block.u16(property::receive_maximum, connack.receive_maximum);
  }
  if (connack.maximum_qos != Qos::exactly_once) {
    block.flag(property::maximum_qos, connack.maximum_qos == Qos::at_least_once);
  }
  if (!connack.retain_available) block.flag(property::retain_available, false);
  if (connack.maximum_packet_size != 0) {
    block.u32(property::maximum_packet_size, connack.maximum_packet_size);
  }
  block.text_unless_empty(property::assigned_client_identifier, connack.assigned_client_id);
  if (connack.topic_alias_maximum != 0) {
    block.u16(property::topic_alias_maximum, connack.topic_alias_maximum);
  }
  block.text_unless_empty(property::reason_string, connack.reason_string);
  if (!connack.wildcard_subscription_available) {
    block.flag(property::wildcard_subscription_available, false);
  }
  if (!connack.subscription_identifier_available) {
    block.flag(property::subscription_identifier_available, false);
  }
  if (!connack.shared_subscription_available) {
    block.flag(property::shared_subscription_available, false);
  }
  if (connack.server_keep_alive) {
    block.u16(property::server_keep_alive, *connack.server_keep_alive);
  }
  block.text_unless_empty(property::response_information, connack.response_information);
  block.text_unless_empty(property::server_reference, connack.server_reference);
  block.text(property::authentication_method, connack.authentication_method);
  block.text(property::authentication_data, connack.authentication_data);
  write_pairs(block, connack.user_properties);
  block.close();
}

std::uint8_t connect_flags(const Connect& connect) {
  unsigned flags = (connect.username ? 0x80u : 0u) | (connect.password ? 0x40u : 0u) |
                   (connect.clean_start ? 0x02u : 0u);
  if (connect.will) {
    flags |=
        0x04u | static_cast<unsigned>(connect.will->qos) << 3 | (connect.will->retain ? 0x20u : 0u);
  }
  return static_cast<std::uint8_t>(flags);
}

}  // namespace

void encode(const Connect& connect, Bytes& out) {
  BlockWriter packet{out, PacketType::connect};
  packet.text(connect.version == Version::v3_1 ? "MQIsdp" : "MQTT");
  const bool bridge = connect.bridge && connect.version != Version::v5;
  packet.raw().u8(static_cast<std::uint8_t>(static_cast<unsigned>(connect.version) |
                                            (bridge ? bridge_bit : 0u)));
  packet.raw().u8(connect_flags(connect));
  packet.raw().u16(connect.keep_alive);
  if (connect.version == Version::v5) write_properties(connect, out);
  packet.text(connect.client_id);
  if (connect.will) {
    if (connect.version == Version::v5) write_properties(*connect.will, out);
    packet.text(connect.will->topic);
    packet.text(connect.will->payload);
  }
  if (connect.username) packet.text(*connect.username);
  if (connect.password) packet.text(*connect.password);
  packet.close();
}

void encode(const Connack& connack, Version version, Bytes& out) {
  BlockWriter packet{out, PacketType::connack};
  packet.raw().u8(connack.session_present && version != Version::v3_1 ? 1 : 0);
  if (version == Version::v5) {
    packet.raw().u8(static_cast<std::uint8_t>(connack.reason));
    write_properties(connack, out);
  } else {
    packet.raw().u8(connack_code_v3(connack.reason));
  }
  packet.close();
}

void encode(const Disconnect& disconnect, Version version, Bytes& out) {
  BlockWriter packet{out, PacketType::disconnect};
  const bool has_properties = disconnect.session_expiry_interval ||
                              !disconnect.reason_string.empty() ||
                              !disconnect.server_reference.empty();
  const bool has_reason = disconnect.reason != ReasonCode::normal_disconnection;
  if (version == Version::v5 && (has_reason || has_properties)) {
    packet.raw().u8(static_cast<std::uint8_t>(disconnect.reason));
  }
  if (version == Version::v5 && has_properties) {
    BlockWriter properties{out};
    if (disconnect.session_expiry_interval) {
      properties.u32(property::session_expiry_interval, *disconnect.session_expiry_interval);
    }
    properties.text_unless_empty(property::reason_string, disconnect.reason_string);
    properties.text_unless_empty(property::server_reference, disconnect.server_reference);
    properties.close();
  }
  packet.close();
}

void encode(const Auth& auth, Version version, Bytes& out) {
  NARU_CHECK(version == Version::v5);
  BlockWriter packet{out, PacketType::auth};
  // Without a method there can be no properties, and without those no reason but success.
  if (auth.method) {
    packet.raw().u8(static_cast<std::uint8_t>(auth.reason));
    BlockWriter properties{out};
    properties.text(property::authentication_method, auth.method);
    properties.text(property::authentication_data, auth.data);
    properties.text_unless_empty(property::reason_string, auth.reason_string);
    properties.close();
  }
  packet.close();
}

}  // namespace naru::mqtt

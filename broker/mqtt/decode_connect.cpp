// broker/mqtt/decode_connect.cpp: the packets a connection begins and ends with.

#include "broker/mqtt/decoder.hpp"
#include "broker/mqtt/fixed_header.hpp"
#include "broker/mqtt/topics.hpp"

namespace naru::mqtt {
namespace {

// The byte of CONNECT that says what follows.
struct ConnectFlags {
  bool username, password, will_retain, will, clean_start, reserved;
  unsigned will_qos;
};

ConnectFlags connect_flags(unsigned byte) {
  return {.username = (byte & 0x80) != 0,
          .password = (byte & 0x40) != 0,
          .will_retain = (byte & 0x20) != 0,
          .will = (byte & 0x04) != 0,
          .clean_start = (byte & 0x02) != 0,
          .reserved = (byte & 0x01) != 0,
          .will_qos = byte >> 3 & 3u};
}

DecodeError check_flags(const ConnectFlags& flags, Version version) {
  // A password alone came with MQTT 5.
  if (version != Version::v5 && flags.password && !flags.username) return DecodeError::malformed;
  if (flags.will) {
    if (flags.will_qos == 3) return DecodeError::malformed;
    if (version == Version::v3_1) return DecodeError::none;
  }
  // MQTT 3.1 calls these bits unused, later versions reserved.
  if (version == Version::v3_1) return DecodeError::none;
  if (flags.reserved) return DecodeError::malformed;
  const bool empty_will = flags.will_qos == 0 && !flags.will_retain;
  return flags.will || empty_will ? DecodeError::none : DecodeError::malformed;
}

// Name and level. Unknown levels above 5 will come from clients newer than us, which read a
// CONNACK of MQTT 5; any other gets one of 3.1.1.
DecodeError decode_version(ByteReader& in, Connect& out) {
  const BytesView protocol = in.block16();
  const std::uint8_t byte = in.u8();
  out.version = byte > 5 && byte < bridge_bit ? Version::v5 : Version::v3_1_1;
  if (!in.ok()) return DecodeError::malformed;
  const unsigned level = byte & ~bridge_bit;
  out.bridge = (byte & bridge_bit) != 0 && level < 5;
  const bool known =
      protocol == "MQTT" ? level == 4 || byte == 5 : protocol == "MQIsdp" && level == 3;
  if (!known) return DecodeError::unsupported_version;
  out.version = static_cast<Version>(level);
  return DecodeError::none;
}

DecodeError decode_connect_properties(ByteReader& in, Connect& out) {
  BytesView raw;
  bool has_user_properties = false;
  const auto error = decode_properties(in, place::connect, raw, [&](const Property& found) {
    const auto u16 = static_cast<std::uint16_t>(found.number);
    const bool yes = found.number != 0;
    switch (found.id) {
      case property::session_expiry_interval: out.session_expiry_interval = found.number; return;
      case property::receive_maximum: out.receive_maximum = u16; return;
      case property::maximum_packet_size: out.maximum_packet_size = found.number; return;
      case property::topic_alias_maximum: out.topic_alias_maximum = u16; return;
      case property::request_response_information: out.request_response_information = yes; return;
      case property::request_problem_information: out.request_problem_information = yes; return;
      case property::authentication_method: out.authentication_method = found.bytes; return;
      case property::authentication_data: out.authentication_data = found.bytes; return;
      default: has_user_properties = true; return;
    }
  });
  if (has_user_properties) out.user_properties = UserProperties{raw};
  if (error == DecodeError::none && out.authentication_data && !out.authentication_method) {
    return DecodeError::protocol_error;
  }
  return error;
}

DecodeError decode_will(ByteReader& in, Version version, Will& out) {
  if (version == Version::v5) {
    const auto error =
        decode_properties(in, place::will, out.properties, [&](const Property& found) {
          switch (found.id) {
            case property::message_expiry_interval: out.expiry = found.number; break;
            case property::will_delay_interval: out.delay_interval = found.number; break;
            default: return;
          }
          out.properties_clean = false;
        });
    if (error != DecodeError::none) return error;
  }
  out.topic = in.block16();
  out.payload = in.block16();
  if (!in.ok()) return DecodeError::malformed;
  if (valid_topic(out.topic)) return DecodeError::none;
  return valid_utf8(out.topic) ? DecodeError::invalid_topic : DecodeError::malformed;
}

// Client identifier, will, user name, password: as the flags promise.
DecodeError decode_connect_payload(ByteReader& in, const ConnectFlags& flags, Connect& out) {
  out.client_id = in.block16();
  if (!in.ok() || !valid_utf8(out.client_id)) return DecodeError::malformed;
  if (flags.will) {
    Will& will = out.will.emplace();
    will.qos = static_cast<Qos>(flags.will_qos);
    will.retain = flags.will_retain;
    const auto error = decode_will(in, out.version, will);
    if (error != DecodeError::none) return error;
  }
  // In MQTT 3.1 the packet's length outweighs these two flags: what is missing was not sent.
  const auto promised = [&](bool flag) {
    return flag && !(out.version == Version::v3_1 && in.empty());
  };
  if (promised(flags.username)) {
    out.username = in.block16();
    if (!valid_utf8(*out.username)) return DecodeError::malformed;
  }
  if (in.ok() && promised(flags.password)) out.password = in.block16();
  return in.done() ? DecodeError::none : DecodeError::malformed;
}

DecodeError decode_connack_properties(ByteReader& in, Connack& out) {
  BytesView raw;
  bool has_user_properties = false;
  const auto error = decode_properties(in, place::connack, raw, [&](const Property& found) {
    const auto u16 = static_cast<std::uint16_t>(found.number);
    const bool yes = found.number != 0;
    switch (found.id) {
      case property::session_expiry_interval: out.session_expiry_interval = found.number; return;
      case property::receive_maximum: out.receive_maximum = u16; return;
      case property::maximum_qos: out.maximum_qos = static_cast<Qos>(found.number); return;
      case property::retain_available: out.retain_available = yes; return;
      case property::maximum_packet_size: out.maximum_packet_size = found.number; return;
      case property::assigned_client_identifier: out.assigned_client_id = found.bytes; return;
      case property::topic_alias_maximum: out.topic_alias_maximum = u16; return;
      case property::reason_string: out.reason_string = found.bytes; return;
      case property::wildcard_subscription_available:
        out.wildcard_subscription_available = yes;
        return;
      case property::subscription_identifier_available:
        out.subscription_identifier_available = yes;
        return;
      case property::shared_subscription_available: out.shared_subscription_available = yes; return;
      case property::server_keep_alive: out.server_keep_alive = u16; return;
      case property::response_information: out.response_information = found.bytes; return;
      case property::server_reference: out.server_reference = found.bytes; return;
      case property::authentication_method: out.authentication_method = found.bytes; return;
      case property::authentication_data: out.authentication_data = found.bytes; return;
      default: has_user_properties = true; return;
    }
  });
  if (has_user_properties) out.user_properties = UserProperties{raw};
  return error;
}

}  // namespace

DecodeError decode_connect(const Frame& frame, Connect& out) {
  out = Connect{};
  ByteReader in{frame.body};
  const auto unknown = decode_version(in, out);
  if (unknown != DecodeError::none) return unknown;
  if (!has_header(frame, out.version, PacketType::connect)) return DecodeError::malformed;
  const ConnectFlags flags = connect_flags(in.u8());
  out.keep_alive = in.u16();
  if (!in.ok()) return DecodeError::malformed;
  if (const auto error = check_flags(flags, out.version); error != DecodeError::none) return error;
  out.clean_start = flags.clean_start;
  if (out.version == Version::v5) {
    const auto error = decode_connect_properties(in, out);
    if (error != DecodeError::none) return error;
  }
  return decode_connect_payload(in, flags, out);
}

DecodeError decode_connack(const Frame& frame, Version version, Connack& out) {
  if (!has_header(frame, version, PacketType::connack)) return DecodeError::malformed;
  ByteReader in{frame.body};
  out = Connack{};
  const std::uint8_t flags = in.u8();
  const std::uint8_t code = in.u8();
  if (!in.ok()) return DecodeError::malformed;
  // In MQTT 3.1 the first byte meant nothing yet.
  if (flags > 1 && version != Version::v3_1) return DecodeError::malformed;
  out.session_present = flags == 1 && version != Version::v3_1;
  if (version == Version::v5) {
    out.reason = static_cast<ReasonCode>(code);
    if (!may_carry(PacketType::connack, out.reason)) return DecodeError::protocol_error;
    const auto error = decode_connack_properties(in, out);
    if (error != DecodeError::none) return error;
  } else {
    if (code > 5) return DecodeError::protocol_error;  // Reserved.
    out.reason = reason_of_connack_v3(code);
  }
  if (!in.done()) return DecodeError::malformed;
  const bool contradiction = out.session_present && out.reason != ReasonCode::success;
  return contradiction ? DecodeError::protocol_error : DecodeError::none;
}

DecodeError decode_disconnect(const Frame& frame, Version version, Disconnect& out) {
  if (!has_header(frame, version, PacketType::disconnect)) return DecodeError::malformed;
  out = Disconnect{};
  if (frame.body.empty()) return DecodeError::none;
  if (version != Version::v5) return DecodeError::malformed;
  ByteReader in{frame.body};
  out.reason = static_cast<ReasonCode>(in.u8());
  if (!may_carry(PacketType::disconnect, out.reason)) return DecodeError::protocol_error;
  if (in.empty()) return DecodeError::none;
  BytesView raw;
  const auto error = decode_properties(in, place::disconnect, raw, [&](const Property& found) {
    switch (found.id) {
      case property::session_expiry_interval: out.session_expiry_interval = found.number; return;
      case property::reason_string: out.reason_string = found.bytes; return;
      case property::server_reference: out.server_reference = found.bytes; return;
      default: return;
    }
  });
  if (error != DecodeError::none) return error;
  return in.done() ? DecodeError::none : DecodeError::malformed;
}

DecodeError decode_auth(const Frame& frame, Version version, Auth& out) {
  if (version != Version::v5 || !has_header(frame, version, PacketType::auth)) {
    return DecodeError::malformed;
  }
  out = Auth{};
  if (frame.body.empty()) return DecodeError::none;
  ByteReader in{frame.body};
  out.reason = static_cast<ReasonCode>(in.u8());
  if (!may_carry(PacketType::auth, out.reason)) return DecodeError::protocol_error;
  BytesView raw;
  const auto error = decode_properties(in, place::auth, raw, [&](const Property& found) {
    switch (found.id) {
      case property::authentication_method: out.method = found.bytes; return;
      case property::authentication_data: out.data = found.bytes; return;
      case property::reason_string: out.reason_string = found.bytes; return;
      default: return;
    }
  });
  if (error != DecodeError::none) return error;
  if (!in.done()) return DecodeError::malformed;
  return out.method ? DecodeError::none : DecodeError::protocol_error;
}

}  // namespace naru::mqtt

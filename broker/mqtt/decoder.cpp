// broker/mqtt/decoder.cpp: framing, PUBLISH and the packets that answer it, SUBSCRIBE and the
// rest. CONNECT, CONNACK and AUTH, the long ones, are in decode_connect.cpp.

#include "broker/mqtt/decoder.hpp"

#include "broker/mqtt/fixed_header.hpp"
#include "broker/mqtt/topics.hpp"

namespace naru::mqtt {
namespace {

constexpr auto ignore = [](const Property&) {};

// A visitor for what answers: only the Reason String says something more.
auto take_reason(BytesView& text) {
  return [&text](const Property& found) {
    if (found.id == property::reason_string) text = found.bytes;
  };
}

std::uint16_t u16_at(const char* at) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(at[0]) << 8 |
                                    static_cast<std::uint8_t>(at[1]));
}

// One bit per value of the four flags of PUBLISH: those with QoS 3, and DUP with QoS 0.
constexpr unsigned bad_publish_flags = 1u << 0x6 | 1u << 0x7 | 1u << 0xe | 1u << 0xf |  //
                                       1u << 0x8 | 1u << 0x9;

DecodeError decode_publish_properties(BytesView& rest, Publish& out) {
  ByteReader in{rest};
  bool has_subscription_ids = false;
  const auto error =
      decode_properties(in, place::publish, out.properties, [&](const Property& found) {
        switch (found.id) {
          case property::message_expiry_interval: out.expiry = found.number; break;
          case property::topic_alias:
            out.topic_alias = static_cast<std::uint16_t>(found.number);
            break;
          case property::subscription_identifier: has_subscription_ids = true; break;
          default: return;
        }
        out.properties_clean = false;
      });
  if (has_subscription_ids) out.subscription_ids = SubscriptionIds{out.properties};
  rest = in.rest();
  return error;
}

// Only for topics that valid_topic() refused: an empty one may stand for an alias.
DecodeError judge_topic(const Publish& publish, Version version) {
  if (!publish.topic.empty()) {
    return valid_utf8(publish.topic) ? DecodeError::invalid_topic : DecodeError::malformed;
  }
  if (publish.topic_alias != 0) return DecodeError::none;
  return version == Version::v5 ? DecodeError::protocol_error : DecodeError::invalid_topic;
}

DecodeError check_filter(BytesView filter) {
  if (valid_filter(filter)) return DecodeError::none;
  return valid_utf8(filter) ? DecodeError::invalid_filter : DecodeError::malformed;
}

// What the byte behind a filter may say; the caller has read it, so it is only judged here.
DecodeError check_options(std::uint8_t options, BytesView filter, Version version) {
  if (version != Version::v5) return options <= 2 ? DecodeError::none : DecodeError::malformed;
  if ((options & 0xc0) != 0) return DecodeError::malformed;
  // QoS 3 and retain handling 3 can be read, and are not there.
  if ((options & 0x03) == 0x03 || (options & 0x30) == 0x30) return DecodeError::protocol_error;
  const bool no_local = (options & 0x04) != 0;
  return no_local && is_shared(filter) ? DecodeError::protocol_error : DecodeError::none;
}

// The start that SUBSCRIBE, UNSUBSCRIBE and their answers share: an identifier and properties.
template <class Visitor>
DecodeError decode_opening(ByteReader& in, Version version, Places here, PacketId& id,
                           Visitor&& visit) {
  id = in.u16();
  if (!in.ok()) return DecodeError::malformed;
  if (id == 0) return DecodeError::protocol_error;
  BytesView raw;
  return version == Version::v5 ? decode_properties(in, here, raw, visit) : DecodeError::none;
}

DecodeError check_codes(BytesView codes, PacketType type, Version version) {
  if (codes.empty()) return DecodeError::protocol_error;
  for (const char code : codes) {
    const auto byte = static_cast<std::uint8_t>(code);
    const bool good = version == Version::v5 ? may_carry(type, static_cast<ReasonCode>(byte))
                                             : byte <= 2 || byte == 0x80;
    if (!good) return DecodeError::protocol_error;
  }
  return DecodeError::none;
}

DecodeError decode_ping(const Frame& frame, PacketType type) {
  // Both lengths, so that a length written with needless zeros is refused as well.
  const bool good = frame.first_byte == first_byte_of(type) && frame.body.empty();
  return good && frame.size == 2 ? DecodeError::none : DecodeError::malformed;
}

}  // namespace

Framing next_frame(BytesView buffer, std::uint32_t packet_size_max, Frame& out) {
  out = Frame{};
  if (buffer.empty()) return Framing::incomplete;
  out.first_byte = static_cast<std::uint8_t>(buffer[0]);
  if (out.first_byte < 0x10) return Framing::malformed;  // There is no packet type 0.

  std::size_t body_size = 0;
  std::size_t header_size = 1;
  for (std::uint8_t byte = 0x80; (byte & 0x80) != 0; ++header_size) {
    if (header_size == 5) return Framing::malformed;
    if (header_size == buffer.size()) return Framing::incomplete;
    byte = static_cast<std::uint8_t>(buffer[header_size]);
    body_size |= std::size_t{byte & 0x7fu} << (7 * (header_size - 1));
  }
  out.size = header_size + body_size;
  if (packet_size_max != 0 && out.size > packet_size_max) return Framing::too_large;
  if (buffer.size() < out.size) return Framing::incomplete;
  out.body = buffer.substr(header_size, body_size);
  return Framing::complete;
}

DecodeError decode_publish(const Frame& frame, Version version, Publish& out) {
  const unsigned flags = frame.first_byte & 0x0fu;
  if (type_of(frame) != PacketType::publish || (bad_publish_flags >> flags & 1u) != 0) {
    return DecodeError::malformed;
  }
  const unsigned qos = flags >> 1 & 3u;
  const std::size_t id_size = qos != 0 ? 2 : 0;
  const BytesView body = frame.body;
  if (body.size() < 2) return DecodeError::malformed;
  const std::size_t topic_end = 2u + u16_at(body.data());
  if (body.size() < topic_end + id_size) return DecodeError::malformed;

  out = Publish{};
  out.dup = (flags & 8u) != 0;
  out.retain = (flags & 1u) != 0;
  out.qos = static_cast<Qos>(qos);
  out.topic = body.substr(2, topic_end - 2);
  if (qos != 0) {
    out.packet_id = u16_at(body.data() + topic_end);
    if (out.packet_id == 0) return DecodeError::protocol_error;
  }
  BytesView rest = body.substr(topic_end + id_size);
  if (version == Version::v5) {
    if (rest.empty() || !has_minimal_length(frame)) return DecodeError::malformed;
    if (rest[0] == 0) {
      rest.remove_prefix(1);  // No properties, by far the most frequent case.
    } else if (const auto error = decode_publish_properties(rest, out);
               error != DecodeError::none) {
      return error;
    }
  }
  out.payload = rest;
  return valid_topic(out.topic) ? DecodeError::none : judge_topic(out, version);
}

DecodeError decode_ack(const Frame& frame, Version version, Ack& out) {
  const PacketType type = type_of(frame);
  if (type < PacketType::puback || type > PacketType::pubcomp) return DecodeError::malformed;
  if (!has_header(frame, version, type)) return DecodeError::malformed;
  const std::size_t size = frame.body.size();
  if (size < 2 || (size > 2 && version != Version::v5)) return DecodeError::malformed;
  out = Ack{};
  out.packet_id = u16_at(frame.body.data());
  if (out.packet_id == 0) return DecodeError::protocol_error;
  if (size == 2) return DecodeError::none;

  out.reason = static_cast<ReasonCode>(frame.body[2]);
  if (!may_carry(type, out.reason)) return DecodeError::protocol_error;
  if (size == 3) return DecodeError::none;
  ByteReader in{frame.body.substr(3)};
  BytesView raw;
  const auto error = decode_properties(in, place::acks, raw, take_reason(out.reason_string));
  if (error != DecodeError::none) return error;
  return in.done() ? DecodeError::none : DecodeError::malformed;
}

bool next_entry(ByteReader& in, SubscribeEntry& out) {
  if (in.empty()) return false;
  out.filter = in.block16();
  const unsigned options = in.u8();
  out.qos = static_cast<Qos>(options & 3u);
  out.no_local = (options & 4u) != 0;
  out.retain_as_published = (options & 8u) != 0;
  out.retain_handling = static_cast<std::uint8_t>(options >> 4 & 3u);
  return in.ok();
}

bool next_filter(ByteReader& in, BytesView& out) {
  if (in.empty()) return false;
  out = in.block16();
  return in.ok();
}

bool next_code(ByteReader& in, ReasonCode& out) {
  if (in.empty()) return false;
  out = static_cast<ReasonCode>(in.u8());
  return true;
}

DecodeError decode_subscribe(const Frame& frame, Version version, Subscribe& out) {
  if (!has_header(frame, version, PacketType::subscribe)) return DecodeError::malformed;
  ByteReader in{frame.body};
  out = Subscribe{};
  const auto error =
      decode_opening(in, version, place::subscribe, out.packet_id, [&](const Property& found) {
        if (found.id == property::subscription_identifier) out.subscription_id = found.number;
      });
  if (error != DecodeError::none) return error;
  out.entries = SubscribeEntries{in.rest()};
  if (in.empty()) return DecodeError::protocol_error;
  while (!in.empty()) {
    const BytesView filter = in.block16();
    const std::uint8_t options = in.u8();
    if (!in.ok()) return DecodeError::malformed;
    if (const auto bad = check_filter(filter); bad != DecodeError::none) return bad;
    if (const auto bad = check_options(options, filter, version); bad != DecodeError::none) {
      return bad;
    }
  }
  return in.ok() ? DecodeError::none : DecodeError::malformed;
}

DecodeError decode_unsubscribe(const Frame& frame, Version version, Unsubscribe& out) {
  if (!has_header(frame, version, PacketType::unsubscribe)) return DecodeError::malformed;
  ByteReader in{frame.body};
  out = Unsubscribe{};
  const auto error = decode_opening(in, version, place::unsubscribe, out.packet_id, ignore);
  if (error != DecodeError::none) return error;
  out.filters = Filters{in.rest()};
  if (in.empty()) return DecodeError::protocol_error;
  while (!in.empty()) {
    const BytesView filter = in.block16();
    if (!in.ok()) return DecodeError::malformed;
    if (const auto bad = check_filter(filter); bad != DecodeError::none) return bad;
  }
  return DecodeError::none;
}

DecodeError decode_suback(const Frame& frame, Version version, Suback& out) {
  if (!has_header(frame, version, PacketType::suback)) return DecodeError::malformed;
  ByteReader in{frame.body};
  out = Suback{};
  const auto error =
      decode_opening(in, version, place::suback, out.packet_id, take_reason(out.reason_string));
  if (error != DecodeError::none) return error;
  out.codes = ReasonCodes{in.rest()};
  return check_codes(in.rest(), PacketType::suback, version);
}

DecodeError decode_unsuback(const Frame& frame, Version version, Unsuback& out) {
  if (!has_header(frame, version, PacketType::unsuback)) return DecodeError::malformed;
  ByteReader in{frame.body};
  out = Unsuback{};
  const auto error =
      decode_opening(in, version, place::unsuback, out.packet_id, take_reason(out.reason_string));
  if (error != DecodeError::none) return error;
  if (version != Version::v5) return in.done() ? DecodeError::none : DecodeError::malformed;
  out.codes = ReasonCodes{in.rest()};
  return check_codes(in.rest(), PacketType::unsuback, version);
}

DecodeError decode_pingreq(const Frame& frame) { return decode_ping(frame, PacketType::pingreq); }

DecodeError decode_pingresp(const Frame& frame) { return decode_ping(frame, PacketType::pingresp); }

}  // namespace naru::mqtt

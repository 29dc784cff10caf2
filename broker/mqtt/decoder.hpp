// broker/mqtt/decoder.hpp
//
// From bytes to packets: next_frame() finds where a packet ends, one function per packet type
// reads it and makes every check that needs nothing but the packet.
//
// Sans-IO:    pure functions; the result is DecodeError::none or why the connection must end.
//             After an error the packet's fields mean nothing, except Connect::version.
// Lives on:   any thread.
// Owned by:   nobody. Packets hold views into the frame, frames into the buffer.
// Bounded by: the frame. Never allocates, never reads beyond the frame.
// Spec:       MQTT 3.1, MQTT 3.1.1, MQTT 5.0 chapters 2 and 3.
#pragma once

#include <cstddef>
#include <cstdint>

#include "broker/mqtt/decode_error.hpp"
#include "broker/mqtt/packets.hpp"
#include "broker/mqtt/types.hpp"
#include "storage/base/bytes.hpp"

namespace naru::mqtt {

struct Frame {
  std::uint8_t first_byte = 0;
  BytesView body;        // Without the fixed header.
  std::size_t size = 0;  // With it.
};

inline PacketType type_of(const Frame& frame) {
  return static_cast<PacketType>(frame.first_byte >> 4);
}

enum class Framing : std::uint8_t { complete, incomplete, malformed, too_large };

// Looks at the packet at the start of the buffer. packet_size_max counts the fixed header too,
// as Maximum Packet Size does; 0 means no limit but MQTT's own. When the header is there but the
// body is not (incomplete, too_large), out.first_byte and out.size are set, and the body is
// empty; before that out.size is 0.
Framing next_frame(BytesView buffer, std::uint32_t packet_size_max, Frame& out);

// connect.version is set even when decoding fails later, so that a refusal can be written. For
// unsupported_version it is the version whose CONNACK such a client understands best.
DecodeError decode_connect(const Frame& frame, Connect& out);
DecodeError decode_connack(const Frame& frame, Version version, Connack& out);
DecodeError decode_publish(const Frame& frame, Version version, Publish& out);
// PUBACK, PUBREC, PUBREL and PUBCOMP; type_of(frame) says which.
DecodeError decode_ack(const Frame& frame, Version version, Ack& out);
DecodeError decode_subscribe(const Frame& frame, Version version, Subscribe& out);
DecodeError decode_suback(const Frame& frame, Version version, Suback& out);
DecodeError decode_unsubscribe(const Frame& frame, Version version, Unsubscribe& out);
DecodeError decode_unsuback(const Frame& frame, Version version, Unsuback& out);
DecodeError decode_pingreq(const Frame& frame);
DecodeError decode_pingresp(const Frame& frame);
DecodeError decode_disconnect(const Frame& frame, Version version, Disconnect& out);
// AUTH exists in MQTT 5 only; in 3.x it is a malformed packet.
DecodeError decode_auth(const Frame& frame, Version version, Auth& out);

}  // namespace naru::mqtt

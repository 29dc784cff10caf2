// broker/transport/packet_frames.hpp
//
// PacketFrames makes a WebSocket message of each MQTT packet. MQTT allows any cut, but clients are
// about that take a message for a packet: paho's C library hangs on two in one.
//
// Sans-IO:    packets in, frames out.
// Lives on:   one shard at a time; a value.
// Owned by:   Channel.
// Bounded by: nothing is kept. A packet that comes in pieces becomes a message in fragments, so
//             that pongs may go in between.
// Spec:       RFC 6455 section 5.4; MQTT 5.0 section 6.
#pragma once

#include <cstddef>

#include "storage/base/bytes.hpp"

namespace naru::transport {

class PacketFrames {
 public:
  // Appends the frames of these packets, the last of which may be cut. Returns how many bytes it
  // took: less than all where the cut leaves a packet's size unknown.
  std::size_t append(BytesView packets, Bytes& frames);

 private:
  std::size_t left_ = 0;  // Of the packet whose message has begun.
};

}  // namespace naru::transport

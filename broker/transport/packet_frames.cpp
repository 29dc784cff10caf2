#include "broker/transport/packet_frames.hpp"

#include <algorithm>

#include "broker/mqtt/decoder.hpp"
#include "broker/transport/websocket_frames.hpp"

namespace naru::transport {

namespace {

FramePart part_of(bool begins, bool ends) {
  if (begins) return ends ? FramePart::whole : FramePart::first;
  return ends ? FramePart::last : FramePart::middle;
}

}  // namespace

std::size_t PacketFrames::append(BytesView packets, Bytes& frames) {
  std::size_t taken = 0;
  while (taken < packets.size()) {
    const BytesView rest = packets.substr(taken);
    const bool begins = left_ == 0;
    if (begins) {
      mqtt::Frame packet;
      mqtt::next_frame(rest, 0, packet);
      if (packet.size == 0) break;
      left_ = packet.size;
    }
    const std::size_t n = std::min(left_, rest.size());
    left_ -= n;
    append_frame_header(part_of(begins, left_ == 0), n, frames);
    frames.append(rest.substr(0, n));
    taken += n;
  }
  return taken;
}

}  // namespace naru::transport

// broker/session/planted_fault.hpp
//
// PlantedFault names a fault that a test build has on purpose, so that the tests which are to find
// such faults can be seen to find them. narud has none; each is asked for in exactly one place.
//
// Sans-IO. A constant of the shard's settings.
#pragma once

#include <cstdint>

namespace naru::broker {

enum class PlantedFault : std::uint8_t {
  none,
  ack_before_commit,   // Who waits for a commit is told before it is tried.
  forget_dedup,        // A QoS 2 publish that is taken up again after a crash counts twice.
  reuse_packet_id,     // A queue number, and so its packet id, is given out while it is in use.
  clear_before_write,  // A QoS 2 publish leaves its sender's lane before it is in its targets'.
  forget_given_back,   // What a member of a group leaves goes to no other one.
  lend_twice,          // A group gives a message to one member, and to the next as well.
};

}  // namespace naru::broker

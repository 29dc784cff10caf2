// broker/session/ack_ring.hpp
//
// AckRing keeps the acknowledgements a client is owed in the order of its publishes. One that is
// ready waits until everything before it is ready, so that a client never sees them reordered.
//
// Sans-IO. Lives on the connection's shard. Owned by Connection, by value.
// Bounded by: the Receive Maximum we gave the client; for 3.x by back-pressure.
// Spec: MQTT 5.0 section 4.6.
#pragma once

#include <cstdint>

#include "broker/mqtt/types.hpp"
#include "storage/base/check.hpp"
#include "storage/base/fifo.hpp"

namespace naru::broker {

// What a refusal says, where that is more than its code does.
enum class AckText : std::uint8_t { of_code, delayed_topic, brokers_own, unreleased, not_stored };

class AckRing {
 public:
  struct Entry {
    mqtt::PacketId packet_id = 0;
    mqtt::PacketType type = mqtt::PacketType::puback;
    mqtt::ReasonCode reason = mqtt::ReasonCode::success;
    bool ready = false;
    AckText text = AckText::of_code;
  };

  // The place the next push() will return.
  std::uint64_t next_place() const { return base_ + entries_.size(); }
  std::uint64_t push(const Entry& entry) {
    entries_.push_back(entry);
    return next_place() - 1;
  }
  void complete(std::uint64_t place, mqtt::ReasonCode reason, AckText text = AckText::of_code) {
    NARU_CHECK(place >= base_ && place - base_ < entries_.size());
    Entry& entry = entries_[static_cast<std::size_t>(place - base_)];
    if (reason != mqtt::ReasonCode::success) entry.reason = reason;
    entry.text = text;
    entry.ready = true;
  }
  // Every PUBREC with this id that is not ready yet, each taken off `open`.
  void complete_repeated(mqtt::PacketId id, mqtt::ReasonCode reason, std::uint16_t& open) {
    for (std::size_t i = 0; i < entries_.size() && open != 0; ++i) {
      const Entry& entry = entries_[i];
      if (entry.ready || entry.packet_id != id || entry.type != mqtt::PacketType::pubrec) continue;
      complete(base_ + i, reason, AckText::not_stored);
      --open;
    }
  }
  // Calls release(entry) for every entry whose turn has come.
  template <class Release>
  void release_ready(Release&& release) {
    while (!entries_.empty() && entries_.front().ready) {
      release(entries_.front());
      entries_.pop_front();
      ++base_;
    }
  }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }

 private:
  Fifo<Entry> entries_;
  std::uint64_t base_ = 0;
};

}  // namespace naru::broker

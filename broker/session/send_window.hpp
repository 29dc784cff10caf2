// broker/session/send_window.hpp
//
// SendWindow follows the QoS 1 and QoS 2 messages on their way to one client with a clean session.
// It picks packet ids and keeps within the client's Receive Maximum. Nothing is ever resent: when
// the connection ends, so does the session, and the messages are not kept.
//
// Sans-IO. Lives on the connection's shard; not thread-safe. Owned by Connection, by value.
// Bounded by: the window the constructor gets. Spec: MQTT 5.0 sections 4.3, 4.9.
//
//   QoS 1   offer -> puback  --on_puback--> free
//   QoS 2   offer -> pubrec  --on_pubrec--> pubcomp --on_pubcomp--> free
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "broker/mqtt/types.hpp"
#include "storage/base/check.hpp"

namespace naru::broker {

class SendWindow {
 public:
  void set_size(std::uint16_t size) { size_ = size; }
  bool has_room() const { return entries_.size() < size_; }
  std::size_t in_flight() const { return entries_.size(); }

  // REQUIRES: has_room().
  mqtt::PacketId offer(mqtt::Qos qos) {
    NARU_CHECK(has_room());
    do {
      last_id_ = last_id_ == 65'535 ? mqtt::PacketId{1} : static_cast<mqtt::PacketId>(last_id_ + 1);
    } while (place_of(last_id_) != entries_.size());
    const auto awaits =
        qos == mqtt::Qos::exactly_once ? mqtt::PacketType::pubrec : mqtt::PacketType::puback;
    entries_.push_back({last_id_, awaits});
    return last_id_;
  }
  // Each says whether a message with this id waited for it; if not, nothing changes.
  bool on_puback(mqtt::PacketId id) { return finish(id, mqtt::PacketType::puback); }
  bool on_pubcomp(mqtt::PacketId id) { return finish(id, mqtt::PacketType::pubcomp); }
  bool on_pubrec(mqtt::PacketId id) {  // Then send PUBREL.
    const std::size_t place = place_of(id);
    if (place == entries_.size() || entries_[place].awaits == mqtt::PacketType::puback) {
      return false;
    }
    entries_[place].awaits = mqtt::PacketType::pubcomp;
    return true;
  }
  // The client refused the message with its PUBREC.
  bool on_refusal(mqtt::PacketId id) { return finish(id, mqtt::PacketType::pubrec); }

 private:
  struct Entry {
    mqtt::PacketId id;
    mqtt::PacketType awaits;
  };
  std::size_t place_of(mqtt::PacketId id) const {
    std::size_t place = 0;
    while (place < entries_.size() && entries_[place].id != id) ++place;
    return place;
  }
  bool finish(mqtt::PacketId id, mqtt::PacketType awaited) {
    const std::size_t place = place_of(id);
    if (place == entries_.size() || entries_[place].awaits != awaited) return false;
    entries_[place] = entries_.back();
    entries_.pop_back();
    return true;
  }

  std::vector<Entry> entries_;
  std::uint16_t size_ = 20;
  mqtt::PacketId last_id_ = 0;
};

}  // namespace naru::broker

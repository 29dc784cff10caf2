// broker/session/send_window.hpp
//
// SendWindow follows the QoS 1 and QoS 2 messages on their way to one client with a clean session.
// It picks packet ids and keeps within the client's Receive Maximum. Nothing is ever resent: when
// the connection ends, so does the session, and the messages are not kept.
//
// Sans-IO. Lives on the connection's shard; not thread-safe. Owned by Connection, by value.
// Bounded by: the size it is given; a client that leaves its oldest message unacknowledged holds
// up new ones when span_max ids are in between. Spec: MQTT 5.0 sections 4.3, 4.9.
//
//   QoS 1   offer -> puback  --on_puback--> free
//   QoS 2   offer -> pubrec  --on_pubrec--> pubcomp --on_pubcomp--> free
#pragma once

#include <cstdint>

#include "broker/mqtt/types.hpp"
#include "storage/base/check.hpp"
#include "storage/base/fifo.hpp"

namespace naru::broker {

class SendWindow {
 public:
  void set_size(std::uint16_t size) { size_ = size; }
  bool has_room() const { return in_flight_ < size_ && entries_.size() < span_max; }
  std::size_t in_flight() const { return in_flight_; }

  // REQUIRES: has_room(). Ids ascend and start again at 1 behind 65535.
  mqtt::PacketId offer(mqtt::Qos qos) {
    NARU_CHECK(has_room());
    entries_.push_back(qos == mqtt::Qos::exactly_once ? Awaits::pubrec : Awaits::puback);
    ++in_flight_;
    return id_at(entries_.size() - 1);
  }
  // A QoS 2 message that has not been acknowledged at all.
  bool awaits_pubrec(mqtt::PacketId id) const {
    const std::size_t place = place_of(id);
    return id != 0 && place < entries_.size() && entries_[place] == Awaits::pubrec;
  }
  // Each says whether a message with this id waited for it; if not, nothing changes.
  bool on_puback(mqtt::PacketId id) { return finish(id, Awaits::puback); }
  bool on_pubcomp(mqtt::PacketId id) { return finish(id, Awaits::pubcomp); }
  bool on_pubrec(mqtt::PacketId id) {  // Then send PUBREL.
    Awaits* const entry = find(id);
    if (entry == nullptr || (*entry != Awaits::pubrec && *entry != Awaits::pubcomp)) return false;
    *entry = Awaits::pubcomp;
    return true;
  }
  // The client refused the message with its PUBREC.
  bool on_refusal(mqtt::PacketId id) { return finish(id, Awaits::pubrec); }

 private:
  enum class Awaits : std::uint8_t { nothing, puback, pubrec, pubcomp };
  static constexpr std::size_t span_max = 32'768;

  mqtt::PacketId id_at(std::size_t place) const {
    return static_cast<mqtt::PacketId>((first_ + place) % 65'535 + 1);
  }
  std::size_t place_of(mqtt::PacketId id) const { return (id - 1u + 65'535u - first_) % 65'535; }
  Awaits* find(mqtt::PacketId id) {
    const std::size_t place = place_of(id);
    return id != 0 && place < entries_.size() ? &entries_[place] : nullptr;
  }
  bool finish(mqtt::PacketId id, Awaits awaited) {
    Awaits* const entry = find(id);
    if (entry == nullptr || *entry != awaited) return false;
    *entry = Awaits::nothing;
    --in_flight_;
    while (!entries_.empty() && entries_.front() == Awaits::nothing) {
      entries_.pop_front();
      first_ = static_cast<std::uint16_t>((first_ + 1) % 65'535);
    }
    return true;
  }

  Fifo<Awaits> entries_;  // By id; entries_[0] has id first_ + 1.
  std::uint16_t first_ = 0;
  std::uint16_t in_flight_ = 0;
  std::uint16_t size_ = 20;
};

}  // namespace naru::broker

// broker/bridge/relay.hpp
//
// Relay carries publishes and their acknowledgements between two MQTT connections of one bridge.
// A publish keeps its packet id on the way, and an acknowledgement goes to one side only when it
// came from the other: so nothing is lost, and as long as both sessions last QoS 2 is exactly
// once, though the relay itself keeps nothing on disk.
//
//   from               relay                to
//   PUBLISH id  --->  new topic  --->  PUBLISH id
//   PUBACK id   <---             <---  PUBACK id
//   QoS 2: PUBREC back, PUBREL on, PUBCOMP back, each with the same id
//
// Sans-IO:    whole packets in, bytes out in output().
// Lives on:   one thread. Not thread-safe.
// Owned by:   BridgeCore. The settings must outlive it.
// Bounded by: has_room(): at most output_most bytes wait for one side, and a packet; ids by the
//             windows of both sides.
// Spec:       MQTT 3.1.1 and 5.0, sections 3.3 to 3.7, 4.3.
#pragma once

#include <utility>

#include <boost/unordered/unordered_flat_set.hpp>

#include "broker/bridge/bridge_settings.hpp"
#include "broker/mqtt/decoder.hpp"

namespace naru::broker {

struct RelayCounters {
  std::uint64_t sent = 0, received = 0;  // Publishes to and from the remote broker.
  std::uint64_t dropped = 0;             // They could not cross: too large, refused, without rule.
  std::uint64_t repeated = 0;            // They had been here before.
};

class Relay {
 public:
  explicit Relay(const BridgeSettings& settings) : settings_(settings) {}

  // A new connection on that side; what its broker says of itself.
  void begin(Side side, mqtt::Version version, const mqtt::Connack& connack);
  // Both sides are there: what one of them has forgotten is brought to its end.
  void begin_relaying();
  void end(Side side) { legs_[place(side)].output.clear(); }

  // Empty: fine, else why both connections must end.
  Bytes on_publish(Side from, const mqtt::Frame& frame);
  Bytes on_ack(Side from, const mqtt::Frame& frame);

  // False: what comes from that side has to wait.
  bool has_room(Side from) const;
  Bytes& output(Side side) { return legs_[place(side)].output; }
  const Bytes& output(Side side) const { return legs_[place(side)].output; }
  mqtt::Version version(Side side) const { return legs_[place(side)].version; }
  const RelayCounters& counters() const { return counters_; }
  // What was dropped since it was asked last, one of them, as a sentence; empty: nothing.
  Bytes take_drop() { return std::exchange(drop_, {}); }

 private:
  using Ids = boost::unordered_flat_set<mqtt::PacketId>;

  struct Leg {
    mqtt::Version version = mqtt::Version::v5;
    mqtt::Qos qos_max = mqtt::Qos::exactly_once;
    bool retain_available = true;
    bool session_present = false;
    std::uint32_t packet_size_max = 0;  // 0: none.
    std::uint16_t window = 0;           // Publishes it takes at a time.
    Bytes node;                         // The id of a node of ours; empty: another broker.
    Bytes output;
    // Ids of publishes that came from here:
    Ids open;      // Not acknowledged yet.
    Ids lowered;   // QoS 2 here, QoS 1 on the other side.
    Ids answered;  // They go no further: their PUBREL is answered here.
    Ids owed;      // The other side has them and waits for PUBREL.
    Ids settling;  // PUBREL was sent in place of a broker that forgot them.
  };

  static std::size_t place(Side side) { return static_cast<std::size_t>(side); }
  Leg& leg(Side side) { return legs_[place(side)]; }
  bool carry(Side from, const mqtt::Publish& publish, const Bytes& topic);
  void drop(Side from, const mqtt::Publish& publish, BytesView why);
  void answer(Side from, const mqtt::Publish& publish);
  Bytes refused(Side by, mqtt::PacketType type, const mqtt::Ack& ack);
  void acknowledge(Side side, mqtt::PacketType type, mqtt::PacketId id);
  BytesView passing_properties(Side from, const mqtt::Publish& publish);
  void on_pubrel(Side from, mqtt::PacketId id);

  const BridgeSettings& settings_;
  Leg legs_[2];
  RelayCounters counters_;
  Bytes drop_;
  Bytes scratch_;  // Properties of the publish at hand.
};

}  // namespace naru::broker

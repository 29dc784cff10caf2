// test/broker/session/held_publish_test.cpp
//
// Goal: where MQTT has no word for a full disk, the acknowledgement is held and nothing more is
// read, until there is room or a minute has passed. Method: one client of one shard; what waits
// for a commit is answered by hand.

#include "broker/mqtt/decoder.hpp"
#include "test/broker/session/front_dialogue.hpp"
#include "test/broker/session/half_shard.hpp"

namespace naru::broker::dialogue {
namespace {

using mqtt::Qos, mqtt::Version;

// A publisher; everything it publishes to "t" is for a session that is away.
struct Bench : Shard {
  Bench(Version spoken, bool is_persistent, std::uint8_t kept = 2) : version(spoken) {
    gate.admission = {Verdict::admitted};
    storage::SessionRow row;
    row.number = 77;
    core.lanes().lane(3).load_client("away", row);
    routes.add("t", {77, 0, 3, Route::Kind::session, kept});
    mqtt::Connect packet;
    packet.client_id = "car1";
    packet.version = version;
    packet.clean_start = !is_persistent;
    if (version == Version::v5) packet.session_expiry_interval = is_persistent ? 1000 : 0;
    Bytes bytes;
    mqtt::encode(packet, bytes);
    hear(bytes);
    commit();
    CHECK(heard_acks().empty());
  }
  void commit(std::optional<Errc> failure = {}) {
    while (!core.output().units.empty()) {
      const auto outcomes = test::outcomes_of(core, journal, failure);
      turn([&] { core.on_committed(outcomes); });
    }
  }
  std::size_t publish(mqtt::PacketId packet_id, Qos qos) {
    mqtt::PublishHead head;
    head.qos = qos;
    head.packet_id = packet_id;
    Bytes bytes;
    mqtt::encode_publish(bytes, version, head, "t", {}, "payload");
    return hear(bytes);
  }
  std::size_t release(mqtt::PacketId packet_id) {
    Bytes bytes;
    mqtt::encode_ack(bytes, version, PacketType::pubrel, packet_id, ReasonCode::success);
    return hear(bytes);
  }
  void pass(Duration time) {
    now = now + time;
    turn([] {});
  }
  void set_room(bool room) { core.set_room({true, room, true}); }
  // As "puback 1 151".
  std::vector<std::string> heard_acks() {
    std::vector<std::string> list;
    const Bytes bytes = std::exchange(*core.front().output(id), {});
    BytesView rest = bytes;
    mqtt::Frame frame;
    for (; mqtt::next_frame(rest, 0, frame) == mqtt::Framing::complete;
         rest.remove_prefix(frame.size)) {
      const PacketType type = mqtt::type_of(frame);
      if (type == PacketType::connack) continue;
      if (type == PacketType::disconnect) {
        list.push_back("disconnect");
        continue;
      }
      mqtt::Ack ack;
      REQUIRE(decode_ack(frame, version, ack) == mqtt::DecodeError::none);
      list.push_back(std::to_string(static_cast<int>(type)) + " " + std::to_string(ack.packet_id) +
                     " " + std::to_string(static_cast<int>(ack.reason)));
    }
    return list;
  }

  Version version;
  std::uint64_t journal = 0;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("A client of 3.1.1 the disk has no room for is held, and goes when there is room",
          "[session]") {
  const auto qos = GENERATE(Qos::at_least_once, Qos::exactly_once);
  const bool is_measured = GENERATE(true, false);  // Noticed before the write, or by it.
  Bench bench{Version::v3_1_1, true};
  if (is_measured) bench.set_room(false);
  CHECK(bench.publish(1, qos) > 0);
  bench.commit(Errc::no_space);
  CHECK(bench.heard_acks().empty());
  CHECK(bench.core.counters().held_clients == 1);
  CHECK(bench.publish(2, qos) == 0);  // Nothing is read.
  if (is_measured) {
    bench.pass(Seconds{5});
    CHECK_FALSE(bench.is_closing());
    bench.set_room(true);
  }
  bench.pass(Seconds{2});  // As far as is known there is room: it may try again.
  CHECK(bench.is_closing());
  CHECK(bench.heard_acks().empty());
  CHECK(bench.journal == 0);  // Nothing was stored.
}

TEST_CASE("An answer that a 3.1.1 client has no code for is held too", "[session]") {
  Bench bench{Version::v3_1_1, false};
  bench.publish(1, Qos::exactly_once);
  CHECK(bench.heard_acks() == Words{"5 1 0"});
  bench.release(1);
  bench.commit(Errc::no_space);
  CHECK(bench.heard_acks().empty());
  CHECK_FALSE(bench.is_closing());
  CHECK(bench.core.counters().held_clients == 1);
}

TEST_CASE("MQTT 5 is told of a full disk at once", "[session]") {
  Bench bench{Version::v5, GENERATE(false, true)};
  bench.publish(1, Qos::at_least_once);
  bench.commit(Errc::no_space);
  CHECK(bench.heard_acks() == Words{"4 1 151"});
  CHECK(bench.publish(2, Qos::at_least_once) > 0);
}

TEST_CASE("A held client goes after a minute, and not because it was silent", "[session]") {
  Bench bench{Version::v3_1_1, GENERATE(false, true)};
  bench.set_room(false);
  bench.publish(1, Qos::at_least_once);
  int seconds = 0;
  for (; !bench.is_closing() && seconds < 100; ++seconds) bench.pass(Seconds{1});
  CHECK(seconds >= 60);
  CHECK(seconds <= 76);
  CHECK(bench.heard_acks().empty());
}

}  // namespace naru::broker::dialogue

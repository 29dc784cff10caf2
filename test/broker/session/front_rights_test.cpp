// test/broker/session/front_rights_test.cpp
//
// Goal: what needs a right that has to be asked for waits for the answer, in its order, and does
// nothing before. Method: dialogues in MQTT packets with answers in every order.

#include "test/broker/session/front_dialogue.hpp"

namespace naru::broker {
namespace {

using namespace dialogue;

Bytes publish_packet(BytesView topic, mqtt::PacketId packet_id) {
  Bytes bytes;
  mqtt::PublishHead head;
  head.qos = mqtt::Qos::at_least_once;
  head.packet_id = packet_id;
  mqtt::encode_publish(bytes, mqtt::Version::v5, head, topic, {}, "x");
  return bytes;
}

Bytes subscribe_packet(std::initializer_list<BytesView> filters) {
  Bytes raw, bytes;
  for (const BytesView filter : filters) {
    mqtt::SubscribeEntry entry;
    entry.filter = filter;
    mqtt::append_entry(raw, entry);
  }
  mqtt::Subscribe packet;
  packet.packet_id = 1;
  packet.entries = mqtt::SubscribeEntries{raw};
  mqtt::encode(packet, mqtt::Version::v5, bytes);
  return bytes;
}

// A shard whose client's rights have to be asked for.
std::unique_ptr<Shard> asking() {
  auto shard = std::make_unique<Shard>();
  shard->gate.admission = {Verdict::admitted};
  shard->gate.asks = true;
  shard->hear(connect_packet());
  shard->said();
  return shard;
}

void answer(Shard& shard, BytesView topic, Access access, bool allowed) {
  shard.turn([&] {
    shard.core.front().on_right(id, {Bytes{topic}, access, allowed, {}, Millis{60'000}});
  });
}

// Topics that were asked for since the last call.
std::vector<Bytes> asked(Shard& shard) {
  std::vector<Bytes> topics;
  for (RightQuestion& each : std::exchange(shard.core.output().questions, {})) {
    topics.push_back(std::move(each.topic));
  }
  return topics;
}

}  // namespace

TEST_CASE("A publish waits for its right, and what follows it waits as well", "[session][gate]") {
  const auto shard = asking();
  const Bytes both = publish_packet("a", 1) + ping();
  CHECK(shard->hear(both) == 0);
  CHECK(asked(*shard) == std::vector<Bytes>{"a"});
  CHECK(shard->said().empty());
  answer(*shard, "a", Access::write, true);
  CHECK(shard->core.output().resumed.back() == id);
  CHECK(shard->hear(both) == both.size());
  const auto said = shard->said();
  REQUIRE(said.size() == 2);
  CHECK(said[0].type == PacketType::puback);
  CHECK(said[1].type == PacketType::pingresp);
  CHECK(shard->core.counters().publishes_in == 1);

  CHECK(shard->hear(publish_packet("a", 2)) != 0);  // Known by now.
  CHECK(asked(*shard).empty());
  shard->now = shard->now + Seconds{61};
  CHECK(shard->hear(publish_packet("a", 3)) == 0);  // And no longer.
  answer(*shard, "a", Access::write, false);
  shard->said();
  shard->hear(publish_packet("a", 3));
  CHECK(shard->said_one(PacketType::puback).type == PacketType::puback);
  CHECK(shard->core.counters().denied_publishes == 1);
}

TEST_CASE("All filters of a packet are asked for at once", "[session][gate]") {
  const auto shard = asking();
  const Bytes packet = subscribe_packet({"a", "b", "c"});
  CHECK(shard->hear(packet) == 0);
  CHECK(asked(*shard) == std::vector<Bytes>{"a", "b", "c"});
  answer(*shard, "b", Access::read, false);
  answer(*shard, "a", Access::read, true);
  CHECK(shard->core.output().resumed == std::vector<ConnectionId>{id});  // Of CONNACK.
  answer(*shard, "c", Access::read, true);
  CHECK(shard->core.output().resumed.size() == 2);
  CHECK(shard->hear(packet) == packet.size());
  CHECK(shard->said_one(PacketType::suback).type == PacketType::suback);
  CHECK(shard->core.counters().denied_subscribes == 1);
}

TEST_CASE("A client with a will hears whether it lacks the right or the service failed",
          "[session][gate]") {
  struct Row {
    Bytes fault, why;
    ReasonCode reason;
  };
  const Row row = GENERATE(values<Row>({
      {"", "acl_http_url denies it", ReasonCode::not_authorized},
      {"it answered 500", "acl_http_url failed: it answered 500", ReasonCode::server_unavailable},
  }));
  Shard shard;
  shard.gate.admission = {Verdict::admitted};
  shard.gate.asks = true;
  mqtt::Connect packet;
  packet.client_id = "car1";
  packet.will.emplace().topic = "a";
  Bytes bytes;
  mqtt::encode(packet, bytes);
  shard.hear(bytes);
  CHECK(asked(shard) == std::vector<Bytes>{"a"});
  shard.turn([&] {
    shard.core.front().on_right(id, {"a", Access::write, false, row.fault, Millis{0}});
  });
  CHECK(shard.said_one(PacketType::connack).reason == row.reason);
  CHECK(shard.core.counters().failed_access_calls == (row.fault.empty() ? 0 : 1));
  REQUIRE(shard.core.output().denials.size() == 1);
  CHECK(shard.core.output().denials[0].why == row.why);
}

TEST_CASE("Whom a reload ends has its line in the log, whatever was told before",
          "[session][gate]") {
  Shard shard;
  shard.gate.admission = {Verdict::admitted};
  shard.gate.acl = std::make_shared<const Acl>(*Acl::parse("topic read a\n", "acl"));
  shard.hear(connect_packet());
  shard.hear(publish_packet("a", 1));
  shard.hear(publish_packet("a", 2));
  const auto told = [&] { return std::exchange(shard.core.output().denials, {}); };
  CHECK(told().size() == 1);
  shard.gate.admits = false;
  shard.turn([&] { shard.core.reload(ShardSettings{}); });
  CHECK(shard.is_closing());
  const auto ended = told();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].kind == Denial::Kind::connect);
  CHECK(ended[0].client_id == "car1");
  CHECK(ended[0].why.find("after the reload") != Bytes::npos);

  // What was held back needs no further denial.
  CHECK(shard.core.next_deadline() <= shard.now + Seconds{60});
  shard.now = shard.now + Seconds{60};
  shard.turn([] {});
  const auto held = told();
  REQUIRE(held.size() == 1);
  CHECK(held[0].kind == Denial::Kind::publish);
}

TEST_CASE("A client id that is only claimed does not silence its client", "[session][gate]") {
  Shard shard;
  const auto told = [&] { return std::exchange(shard.core.output().denials, {}); };
  shard.gate.admission = {Verdict::refused, "the password is wrong"};
  shard.hear(connect_packet());  // From 10.0.0.1.
  CHECK(told().size() == 1);
  shard.turn([&] {
    shard.core.front().closed(id);
    shard.core.front().opened(id, {"10.0.0.2:5", 0});
  });
  shard.hear(connect_packet());
  CHECK(told().size() == 1);
}

TEST_CASE("A right that is answered after its client has gone is forgotten", "[session][gate]") {
  const auto shard = asking();
  shard->hear(publish_packet("a", 1));
  shard->turn([&] { shard->core.front().closed(id); });
  answer(*shard, "a", Access::write, true);
  CHECK(shard->core.front().size() == 0);
}

}  // namespace naru::broker

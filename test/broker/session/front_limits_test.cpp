// test/broker/session/front_limits_test.cpp
//
// Goal: a client beyond a limit hears the right code, is counted and named in the log, and holds
// nothing. Method: dialogues in MQTT packets.

#include "test/broker/session/front_dialogue.hpp"

namespace naru::broker {
namespace {

using namespace dialogue;

Bytes publish(BytesView payload) {
  Bytes bytes;
  mqtt::encode_publish(bytes, mqtt::Version::v5, {}, "a", {}, payload);
  return bytes;
}

// A shard whose client is connected, under these limits.
std::unique_ptr<Shard> connected(const ClientLimits& limits) {
  auto shard = std::make_unique<Shard>();
  ShardSettings settings;
  settings.limits = limits;
  shard->core.reload(settings);
  shard->gate.admission = {Verdict::admitted};
  shard->hear(connect_packet());
  CHECK(shard->said_one(PacketType::connack).reason == ReasonCode::success);
  return shard;
}

bool is_resumed(Shard& shard) { return !std::exchange(shard.core.output().resumed, {}).empty(); }

}  // namespace

TEST_CASE("Front tells a connection that a limit keeps out why", "[session][limits]") {
  const ReasonCode refusal =
      GENERATE(ReasonCode::quota_exceeded, ReasonCode::connection_rate_exceeded);
  Shard shard;
  Peer peer{"10.0.0.2:7", 0};
  peer.refusal = refusal;
  shard.turn([&] {
    shard.core.front().closed(id);
    shard.core.front().opened(id, peer);
  });
  SECTION("when it says CONNECT") {
    shard.hear(connect_packet());
    CHECK(shard.said_one(PacketType::connack).reason == refusal);
  }
  SECTION("and does not wait long for it") {
    shard.now = shard.now + Seconds{2};
    shard.turn([] {});
    CHECK(shard.said().empty());
    CHECK(shard.core.counters().turned_away_late == 0);
  }
  CHECK(shard.is_closing());
  CHECK(shard.core.output().applications.empty());
}

TEST_CASE("Front closes a connection that does not come in within connect_timeout",
          "[session][limits]") {
  ShardSettings settings;
  settings.limits.connect_timeout = Seconds{3};
  Shard shard;
  shard.core.reload(settings);
  shard.turn([&] {
    shard.core.front().closed(id);
    shard.core.front().opened(id, {"10.0.0.2:7", 0});
  });
  const Bytes connect = connect_packet();
  shard.now = shard.now + Seconds{2};
  CHECK(shard.hear(connect.substr(0, connect.size() - 1)) == 0);  // Bytes are no CONNECT.
  CHECK_FALSE(shard.is_closing());
  shard.now = shard.now + Seconds{1};
  shard.turn([] {});
  CHECK(shard.is_closing());
  CHECK(shard.said().empty());
  CHECK(shard.core.counters().turned_away_late == 1);
  const auto& denials = shard.core.output().denials;
  REQUIRE(denials.size() == 1);
  CHECK(denials[0].address == "10.0.0.2:7");
  CHECK(denials[0].why.find("connect_timeout") != Bytes::npos);
}

TEST_CASE("Front reads no further from a client that publishes too fast", "[session][limits]") {
  ClientLimits limits;
  limits.publish_rate = 2;
  const auto shard = connected(limits);
  is_resumed(*shard);
  const Bytes one = publish("x");
  Bytes many;
  for (int n = 0; n < 6; ++n) many += one;
  CHECK(shard->hear(many) == 2 * one.size());
  CHECK(shard->core.counters().publishes_in == 2);
  CHECK(shard->core.counters().throttled == 1);
  CHECK(shard->core.next_deadline() == shard->now + Millis{10});
  CHECK(shard->hear(many) == 0);  // However often it is asked.
  CHECK(shard->core.counters().throttled == 1);
  shard->now = shard->now + Millis{10};
  shard->turn([] {});
  CHECK(is_resumed(*shard));
  CHECK(shard->hear(many) == one.size());  // A debt of one, for half a second.
  shard->now = shard->now + Millis{490};
  shard->turn([] {});
  CHECK_FALSE(is_resumed(*shard));
  shard->now = shard->now + Duration{1};
  shard->turn([] {});
  CHECK(is_resumed(*shard));
  CHECK(shard->hear(ping()) != 0);  // Whatever else it says is no publish.
  CHECK(shard->said_one(PacketType::pingresp).reason == ReasonCode::success);
  CHECK(std::as_const(shard->core.front()).find(id)->rate->waits == 2);
}

TEST_CASE("Front counts every byte of a client against its rate", "[session][limits]") {
  ClientLimits limits;
  limits.byte_rate = 1000;
  const auto shard = connected(limits);
  is_resumed(*shard);
  const Bytes large = publish(Bytes(1300, 'x'));
  CHECK(shard->hear(large) == large.size());  // What is larger than a second's worth comes in,
  CHECK(shard->hear(ping()) == 0);            // and the time for it is waited for behind it.
  shard->now = shard->now + Millis{static_cast<std::int64_t>(large.size()) - 1000};
  shard->turn([] {});
  CHECK_FALSE(is_resumed(*shard));
  shard->now = shard->now + Duration{1};
  shard->turn([] {});
  CHECK(is_resumed(*shard));
  CHECK(shard->hear(ping()) == ping().size());
}

TEST_CASE("Front ends a fast client where the operator has it so", "[session][limits]") {
  ClientLimits limits;
  limits.publish_rate = 1;
  limits.ends_fast_clients = true;
  const auto shard = connected(limits);
  shard->hear(publish("x") + publish("x"));
  CHECK(shard->said_one(PacketType::disconnect).reason == ReasonCode::message_rate_too_high);
  CHECK(shard->is_closing());
  CHECK(shard->core.counters().beyond_rate == 1);
  CHECK(shard->core.counters().protocol_errors == 0);
}

TEST_CASE("A reload that lifts the rate lets a client go on that waits for it",
          "[session][limits]") {
  ClientLimits limits;
  limits.publish_rate = 1;
  const auto shard = connected(limits);
  is_resumed(*shard);
  const Bytes two = publish("x") + publish("x");
  CHECK(shard->hear(two) == two.size() / 2);
  shard->core.reload(ShardSettings{});
  shard->now = shard->now + Millis{10};
  shard->turn([] {});
  CHECK(is_resumed(*shard));
  CHECK(shard->hear(two) == two.size());
}

TEST_CASE("Front refuses a filter that is deeper than allowed", "[session][limits]") {
  ClientLimits limits;
  limits.filter_levels = 3;
  limits.subscriptions = 2;
  const auto shard = connected(limits);
  shard->said();
  const auto codes_of = [&](std::initializer_list<BytesView> filters) {
    Bytes entries, bytes;
    for (const BytesView filter : filters) mqtt::append_entry(entries, {filter});
    mqtt::encode(mqtt::Subscribe{1, 0, mqtt::SubscribeEntries{entries}}, mqtt::Version::v5, bytes);
    shard->hear(bytes);
    const Bytes said = *shard->core.front().output(id);
    shard->core.front().output(id)->clear();
    return said.substr(said.size() - filters.size());
  };
  CHECK(codes_of({"a/b/c", "a/b/c/d"}) == Bytes{"\0\x8f", 2});
  CHECK(codes_of({"a/b/c", "x", "y"}) == Bytes{"\0\0\x97", 3});
  CHECK(shard->core.counters().beyond_filter_levels == 1);
  CHECK(shard->core.counters().beyond_subscriptions == 1);
}

}  // namespace naru::broker

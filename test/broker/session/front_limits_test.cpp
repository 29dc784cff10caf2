// test/broker/session/front_limits_test.cpp
//
// Goal: a client beyond a limit hears the right code, is counted and named in the log, and holds
// nothing. Method: dialogues in MQTT packets.

#include "test/broker/session/front_dialogue.hpp"

namespace naru::broker {
namespace {

using namespace dialogue;

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

}  // namespace naru::broker

// test/broker/bridge/bridge_core_test.cpp
//
// Goal: the states of a bridge lead where its header says. Method: both brokers are played by the
// test, in packets and in time.

#include "broker/bridge/bridge_core.hpp"

#include <catch2/catch.hpp>

#include "test/broker/bridge/bridge_stage.hpp"

namespace naru::broker {

TEST_CASE("A bridge prepares its session before it calls the remote broker", "[bridge]") {
  Stage stage{settings_with({"a out 1", "b in 1"})};
  stage.core.start(stage.now);
  CHECK(stage.core.wished(Side::local) != 0);
  CHECK(stage.core.wished(Side::remote) == 0);
  stage.core.on_open(Side::local, stage.now);
  CHECK(stage.said(Side::local) == Types{PacketType::connect});
  stage.connack(Side::local, false);
  CHECK(stage.said(Side::local) == Types{PacketType::subscribe});
  CHECK_FALSE(stage.core.is_prepared());
  stage.suback(Side::local, 1);
  CHECK(stage.core.is_prepared());
  CHECK(stage.said(Side::local) == Types{PacketType::disconnect});
  CHECK(stage.core.wished(Side::local) == 0);
  CHECK(stage.core.wished(Side::remote) != 0);
}

TEST_CASE("A hello that is not understood is said in another way, at once", "[bridge]") {
  BridgeSettings settings = settings_with({"a out"});
  settings.greetings = {{Version::v5, false}, {Version::v3_1_1, true}, {Version::v3_1_1, false}};
  Stage stage{settings};
  stage.core.start(stage.now);
  stage.core.on_open(Side::local, stage.now);
  stage.connack(Side::local, false);
  stage.suback(Side::local, 1);
  const auto level = [&] {
    const Bytes& hello = stage.core.output(Side::remote);
    return static_cast<std::uint8_t>(hello.at(8));
  };
  stage.core.on_open(Side::remote, stage.now);
  CHECK(level() == 5);
  stage.give(Side::remote, Bytes{"\x20\x02\x00\x01", 4});  // 3.1.1: unacceptable version.
  CHECK(stage.core.state() == State::dialing);
  stage.core.on_open(Side::remote, stage.now);
  CHECK(level() == 0x84);
  stage.core.on_lost(Side::remote, "it closed the connection", stage.now);
  CHECK(stage.core.state() == State::dialing);
  stage.core.on_open(Side::remote, stage.now);
  CHECK(level() == 4);
  stage.core.on_lost(Side::remote, "it closed the connection", stage.now);
  CHECK(stage.core.state() == State::resting);
  stage.now = stage.core.next_deadline();
  stage.core.on_time(stage.now);
  stage.core.on_open(Side::remote, stage.now);
  CHECK(level() == 5);
}

TEST_CASE("The waits between attempts grow at random up to their most", "[bridge]") {
  Rng rng{3};
  BackOff grows{Seconds{5}, Seconds{30}};
  Duration longest{0};
  for (int i = 0; i < 50; ++i) {
    const Duration wait = grows.next(rng);
    CHECK(wait >= Seconds{5});
    CHECK(wait <= Seconds{30});
    longest = std::max(longest, wait);
  }
  CHECK(longest == Seconds{30});
  BackOff same{Seconds{7}, Seconds{7}};
  CHECK(same.next(rng) == Seconds{7});
  CHECK(same.next(rng) == Seconds{7});
}

TEST_CASE("Silence of the remote broker ends the connection, pings prevent it", "[bridge]") {
  Stage stage{settings_with({"a out"})};
  stage.join();
  stage.now = stage.now + Seconds{46};
  stage.core.on_time(stage.now);
  CHECK(stage.said(Side::remote) == Types{PacketType::pingreq});
  stage.give(Side::remote, Bytes{"\xd0\x00", 2});
  stage.now = stage.now + Seconds{89};
  stage.core.on_time(stage.now);
  CHECK(stage.core.state() == State::relaying);
  stage.now = stage.now + Seconds{2};
  stage.core.on_time(stage.now);
  CHECK(stage.core.state() == State::resting);
  BridgeEvent event;
  REQUIRE(stage.core.next_event(event));
  CHECK(event.text == "the remote broker has fallen silent");
}

TEST_CASE("A bridge goes on to its next address, and back to the first", "[bridge]") {
  BridgeSettings settings = settings_with({"a out"});
  settings.addresses = 2;
  settings.round_robin = GENERATE(false, true);
  Stage stage{settings};
  stage.core.start(stage.now);
  stage.core.on_open(Side::local, stage.now);
  stage.connack(Side::local, false);
  stage.suback(Side::local, 1);
  CHECK(stage.core.address() == 0);
  stage.core.on_lost(Side::remote, "refused", stage.now);
  CHECK(stage.core.address() == 1);
  stage.join();
  stage.now = stage.now + Seconds{10};
  stage.core.on_time(stage.now);
  CHECK(stage.core.wants_probe() == !settings.round_robin);
  if (settings.round_robin) return;
  stage.core.on_preferred_back(stage.now);
  CHECK(stage.core.state() == State::resting);
  stage.core.on_time(stage.now);
  CHECK(stage.core.state() == State::dialing);
  CHECK(stage.core.address() == 0);
}

TEST_CASE("A bridge that is stopped tells both brokers", "[bridge]") {
  BridgeSettings settings = settings_with({"a out"});
  settings.notifications = true;
  Stage stage{settings};
  stage.join();
  stage.core.stop();
  for (const Side side : {Side::local, Side::remote}) {
    CHECK(stage.said(side) == Types{PacketType::publish, PacketType::disconnect});
    CHECK(stage.core.wished(side) == 0);
  }
  CHECK(stage.core.state() == State::over);
  CHECK(stage.core.next_deadline() == Instant::never());
}

}  // namespace naru::broker

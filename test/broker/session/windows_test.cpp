// test/broker/session/windows_test.cpp
//
// Goal: acknowledgements leave in the order of publishes, and a clean session's window gives ids
// that are free. Method: short dialogues, then random orders.

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "broker/session/ack_ring.hpp"
#include "broker/session/send_window.hpp"
#include "storage/base/rng.hpp"

namespace naru::broker {
namespace {

using mqtt::PacketType, mqtt::Qos, mqtt::ReasonCode;

std::vector<int> release(AckRing& ring) {
  std::vector<int> ids;
  ring.release_ready([&](const AckRing::Entry& entry) { ids.push_back(entry.packet_id); });
  return ids;
}

}  // namespace

TEST_CASE("An acknowledgement waits for all before it", "[acks]") {
  AckRing ring;
  const auto first = ring.push({1, PacketType::puback, ReasonCode::success, false});
  const auto second = ring.push({2, PacketType::pubrec, ReasonCode::success, false});
  ring.push({3, PacketType::puback, ReasonCode::not_authorized, true});
  CHECK(release(ring).empty());
  ring.complete(second, ReasonCode::success);
  CHECK(release(ring).empty());
  ring.complete(first, ReasonCode::quota_exceeded);
  std::vector<ReasonCode> reasons;
  ring.release_ready([&](const AckRing::Entry& entry) { reasons.push_back(entry.reason); });
  CHECK(reasons == std::vector<ReasonCode>{ReasonCode::quota_exceeded, ReasonCode::success,
                                           ReasonCode::not_authorized});
  CHECK(ring.empty());
  CHECK(ring.next_place() == 3);
}

TEST_CASE("In whatever order they complete, acknowledgements leave in order", "[acks]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng{seed};
    AckRing ring;
    std::vector<std::uint64_t> open;
    std::vector<int> released;
    for (int id = 1; id <= 200; ++id) {
      const auto packet_id = static_cast<mqtt::PacketId>(id);
      open.push_back(ring.push({packet_id, PacketType::puback, ReasonCode::success, false}));
      while (!open.empty() && rng.chance(0.5)) {
        const auto at = open.begin() + static_cast<std::ptrdiff_t>(rng.below(open.size()));
        ring.complete(*at, ReasonCode::success);
        open.erase(at);
      }
      for (const int each : release(ring)) released.push_back(each);
    }
    for (const std::uint64_t place : open) ring.complete(place, ReasonCode::success);
    for (const int each : release(ring)) released.push_back(each);
    REQUIRE(released.size() == 200);
    REQUIRE(std::is_sorted(released.begin(), released.end()));
  }
}

TEST_CASE("A clean session's window follows both handshakes", "[window]") {
  SendWindow window;
  window.set_size(2);
  const auto once = window.offer(Qos::at_least_once);
  const auto twice = window.offer(Qos::exactly_once);
  CHECK_FALSE(window.has_room());
  CHECK_FALSE(window.on_pubrec(once));
  CHECK_FALSE(window.on_pubcomp(twice));
  CHECK_FALSE(window.on_puback(twice));
  CHECK(window.on_pubrec(twice));
  CHECK(window.on_pubrec(twice));  // Again: PUBREL again.
  CHECK_FALSE(window.on_refusal(twice));
  CHECK(window.on_puback(once));
  CHECK_FALSE(window.on_puback(once));
  CHECK(window.on_pubcomp(twice));
  CHECK(window.in_flight() == 0);
  const auto refused = window.offer(Qos::exactly_once);
  CHECK(window.on_refusal(refused));
}

TEST_CASE("A packet id is never in use twice", "[window]") {
  Rng rng{3};
  SendWindow window;
  window.set_size(10);
  std::set<mqtt::PacketId> open;
  for (int i = 0; i < 150'000; ++i) {
    if (window.has_room() && rng.chance(0.6)) {
      const auto id = window.offer(Qos::at_least_once);
      REQUIRE(id != 0);
      REQUIRE(open.insert(id).second);
    } else if (!open.empty()) {
      const auto at = rng.chance(0.9) ? std::prev(open.end()) : open.begin();
      REQUIRE(window.on_puback(*at));
      open.erase(at);
    }
  }
}

}  // namespace naru::broker

// test/broker/session/hop_golden_test.cpp
//
// Goal: what one release says to another from node to node is understood, to the byte. Method:
// hop_golden.txt holds the bytes of a sample of every hop; they are made again and compared.
//
// To add a line: run the test; it prints those that are missing. Lines never change.

#include <catch2/catch.hpp>

#include "test/broker/session/hop_samples.hpp"
#include "test/support/golden.hpp"

namespace naru::broker {

TEST_CASE("Every hop has its golden bytes", "[hop][golden]") {
  static constexpr const char* names[] = {
      "attach",         "detach",        "subscribe",     "unsubscribe",    "publish_to",
      "queue_ack",      "receive",       "release",       "stream_append",  "retained_put",
      "retained_query", "command_offer", "command_acked", "command_reply",  "attached",
      "evict",          "subscribed",    "unsubscribed",  "queue_deliver",  "queue_release",
      "received",       "completed",     "committed",     "retained_found", "command_deliver",
      "origin_forget",  "route_fence",   "fence_passed",  "group_member",   "group_joined",
      "group_lend",     "group_answer",  "group_taken",   "publish_later",  "refused",
      "retained_rest"};
  static_assert(std::size(names) == std::variant_size_v<Hop>, "a new hop needs its golden bytes");
  test::Golden golden{NARU_HOP_GOLDEN_FILE};
  const std::vector<Hop> hops = test::sample_hops();
  REQUIRE(hops.size() == std::variant_size_v<Hop>);
  for (std::size_t tag = 0; tag < hops.size(); ++tag) {
    REQUIRE(hops[tag].index() == tag);
    Bytes bytes;
    encode_variant(hops[tag], bytes);
    golden.compare(std::string{"hop "} + names[tag], bytes);
  }
  CHECK(golden.left_over() == std::vector<std::string>{});
}

TEST_CASE("What a hop says as a number keeps its number", "[hop][golden]") {
  static_assert(static_cast<int>(hop::AckKind::puback) == 0);
  static_assert(static_cast<int>(hop::AckKind::pubcomp) == 3);
  static_assert(static_cast<int>(hop::AttachResult::accepted) == 0);
  static_assert(static_cast<int>(hop::AttachResult::no_space) == 2);
  static_assert(static_cast<int>(Route::Kind::connection) == 0);
  static_assert(static_cast<int>(Route::Kind::rule) == 2);
  static_assert(static_cast<int>(MemberState::left) == 2);
  static_assert(static_cast<int>(AnswerKind::done) == 0);
  static_assert(static_cast<int>(AnswerKind::failed) == 4);
  Bytes bytes;
  encode_variant(Hop{hop::QueueAck{31, 5, 8, 513, hop::AckKind::pubrec_refused}}, bytes);
  Hop read;
  REQUIRE(decode_variant(bytes, read));
  CHECK(std::get<hop::QueueAck>(read).kind == hop::AckKind::pubrec_refused);
}

}  // namespace naru::broker

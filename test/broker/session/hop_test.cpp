// test/broker/session/hop_test.cpp
//
// Goal: every hop between shards survives being bytes. Method: one of each kind with no field at
// its default; encoded, decoded, encoded again, cut and lengthened.

#include "broker/session/hop.hpp"

#include <catch2/catch.hpp>

#include "test/storage/tables/samples.hpp"
#include "test/support/exact_buffer.hpp"
#include "test/support/hex.hpp"

namespace naru::broker {
namespace {

using test::ExactBuffer, test::to_hex;

std::vector<Hop> one_of_each() {
  const storage::MessageRef message = storage::Message::make(test::sample_view());
  const Carried carried{message};
  const ConnectionId connection = std::uint64_t{3} << 48 | 77;
  const SessionNumber session = 0x10000000002;
  const std::vector<storage::FilterRow> filters{{"a/+", 0x1d, 9}, {"#", 1, 0}};
  const storage::WillRow will{test::sample_message(), 30, 60};
  const ReplyTo reply{2, 900};
  return {
      hop::Attach{connection, "car", "user", "10.0.0.1:5", 5, false, 60, 20, 30, will},
      hop::Detach{connection, "car", false, 0x82, 7},
      hop::Subscribe{31, connection, session, 513, filters, "\x01\x02"},
      hop::Unsubscribe{31, connection, session, 513, {"a/+", "#"}},
      hop::PublishTo{carried,
                     {{Route::Kind::session, 31, session, 6, {1, 200}},
                      {Route::Kind::connection, 2, connection, 1, {}}},
                     true,
                     reply},
      hop::QueueAck{31, session, 8, 513, hop::AckKind::pubcomp},
      hop::Receive{31, connection, session, 513, true, carried},
      hop::Release{31, connection, session, 513},
      hop::StreamAppend{31, "tele", "key", 1, "why", carried, true, reply},
      hop::RetainedPut{carried, reply},
      hop::RetainedQuery{connection, 31, session, filters},
      hop::CommandOffer{"car", connection},
      hop::CommandAcked{"car", "c1", true},
      hop::CommandReply{"car", "c1", storage::CommandState::failed, "{}", reply},
      hop::Attached{connection, hop::AttachResult::no_space, true, session, 8},
      hop::Evict{connection, 0x8e},
      hop::Subscribed{connection, 513, "\x01\x87", filters},
      hop::Unsubscribed{connection, 513, "\x11"},
      hop::QueueDeliver{connection, 8, 513, 6, true, carried, {1, 200}},
      hop::QueueRelease{connection, 513},
      hop::Received{connection, 513, true},
      hop::Completed{connection, 513, false},
      hop::Committed{900, true},
      hop::RetainedFound{connection, 31, session, {carried, carried}, {5, 2}, {9, 0}},
      hop::CommandDeliver{connection, "c1", carried},
      hop::OriginForget{{0x0102030405060708, 300, 2, 70'000}},
  };
}

Bytes encoded(const Hop& hop) {
  Bytes bytes;
  encode_variant(hop, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Every kind of hop survives being bytes", "[hop]") {
  const std::vector<Hop> hops = one_of_each();
  REQUIRE(hops.size() == std::variant_size_v<Hop>);
  for (std::size_t kind = 0; kind < hops.size(); ++kind) {
    INFO("kind " << kind);
    REQUIRE(hops[kind].index() == kind);
    const Bytes bytes = encoded(hops[kind]);
    Hop read;
    REQUIRE(decode_variant(ExactBuffer{bytes}.view(), read));
    REQUIRE(read.index() == kind);
    CHECK(to_hex(encoded(read)) == to_hex(bytes));
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      Hop ignored;
      INFO("the first " << n << " bytes");
      CHECK_FALSE(decode_variant(ExactBuffer{BytesView{bytes}.substr(0, n)}.view(), ignored));
    }
    Hop ignored;
    CHECK_FALSE(decode_variant(bytes + '\0', ignored));
  }
}

TEST_CASE("A message arrives in a hop as it left", "[hop]") {
  Hop read;
  REQUIRE(decode_variant(encoded(one_of_each()[9]), read));
  const storage::MessageRef& message = std::get<hop::RetainedPut>(read).message.message;
  REQUIRE(message);
  CHECK(message->view().topic == "a/b");
  CHECK(message->view().retain);
  Bytes bytes;
  encode_variant(Hop{hop::RetainedPut{}}, bytes);
  REQUIRE(decode_variant(bytes, read));
  CHECK_FALSE(std::get<hop::RetainedPut>(read).message.message);
}

}  // namespace naru::broker

// test/broker/session/hop_test.cpp
//
// Goal: every hop between shards survives being bytes. Method: one of each kind with no field at
// its default; encoded, decoded, encoded again, cut and lengthened.

#include "broker/session/hop.hpp"

#include <catch2/catch.hpp>

#include "test/broker/session/hop_samples.hpp"
#include "test/support/exact_buffer.hpp"
#include "test/support/hex.hpp"

namespace naru::broker {
namespace {

using test::ExactBuffer, test::to_hex;

Bytes encoded(const Hop& hop) {
  Bytes bytes;
  encode_variant(hop, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Every kind of hop survives being bytes", "[hop]") {
  const std::vector<Hop> hops = test::sample_hops();
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
  REQUIRE(decode_variant(encoded(test::sample_hops()[9]), read));
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

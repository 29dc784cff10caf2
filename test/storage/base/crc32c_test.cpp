// test/storage/base/crc32c_test.cpp
//
// Goal: the checksum is CRC-32C, for ever, on every machine. Method: published vectors (RFC 3720
// B.4), values frozen here for client ids, and the two implementations against each other.

#include "storage/base/crc32c.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace naru {
namespace {

using namespace std::string_literals;

Bytes counting(int from, int to) {
  Bytes made;
  for (int n = from; n != to; n += from < to ? 1 : -1) made += static_cast<char>(n);
  return made;
}

}  // namespace

TEST_CASE("crc32c gives the published values", "[base]") {
  const auto sum = GENERATE(crc32c, crc32c_portable);
  CHECK(sum("", 0) == 0);
  CHECK(sum("123456789", 0) == 0xe3069283);
  CHECK(sum(Bytes(32, '\0'), 0) == 0x8a9136aa);
  CHECK(sum(Bytes(32, '\xff'), 0) == 0x62a8ab43);
  CHECK(sum(counting(0, 32), 0) == 0x46dd794e);
  CHECK(sum(counting(31, -1), 0) == 0x113fdb5c);
}

TEST_CASE("crc32c of a client id never changes: its lane is where its queue lies", "[base]") {
  CHECK(crc32c("a") == 0xc1d04330);
  CHECK(crc32c("vehicle-0001") == 0x4518d7d1);
  CHECK(crc32c("\xed\x95\x9c\xea\xb8\x80") == 0x8c30fd33);
}

TEST_CASE("crc32c is the same by instruction and by tables, at any length and place", "[base]") {
  std::mt19937 random{11};
  Bytes bytes(300, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t size = 0; size + from < bytes.size(); size += 1 + size / 16) {
      const auto part = BytesView{bytes}.substr(from, size);
      REQUIRE(crc32c(part) == crc32c_portable(part));
    }
  }
}

TEST_CASE("crc32c goes on where an earlier part ended", "[base]") {
  const Bytes all = "a client id that is longer than one step of eight bytes";
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    const BytesView first = BytesView{all}.substr(0, cut);
    const BytesView second = BytesView{all}.substr(cut);
    REQUIRE(crc32c(second, crc32c(first)) == crc32c(all));
    REQUIRE(crc32c_portable(second, crc32c_portable(first)) == crc32c(all));
  }
}

}  // namespace naru

// test/storage/base/byte_reader_test.cpp
//
// Goal: ByteReader returns what ByteWriter wrote, never touches a byte beyond the end, and once
// failed stays failed. Method: golden bytes both ways, every strict prefix in a heap buffer of
// exactly its size, and lengths that promise more than there is.

#include "storage/base/byte_reader.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "storage/base/byte_writer.hpp"

namespace naru {
namespace {

using namespace std::string_literals;

// A copy in a heap block of exactly its size, so that a sanitizer sees every byte too far.
class Exact {
 public:
  explicit Exact(BytesView bytes) : size_(bytes.size()), bytes_(new char[bytes.size()]) {
    if (size_ > 0) std::memcpy(bytes_.get(), bytes.data(), size_);
  }
  BytesView view() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

// One of everything.
Bytes write_all() {
  Bytes out;
  ByteWriter writer{out};
  writer.u8(0xfe);
  writer.u16(0x0102);
  writer.u32(0xa1b2c3d4);
  writer.u64(0x1122334455667788);
  writer.varint(321);
  writer.leb(std::numeric_limits<std::uint64_t>::max());
  writer.block16("mqtt");
  writer.block("record");
  writer.bytes("!");
  return out;
}

bool read_all(ByteReader& reader) {
  bool same = reader.u8() == 0xfe;
  same = reader.u16() == 0x0102 && same;
  same = reader.u32() == 0xa1b2c3d4 && same;
  same = reader.u64() == 0x1122334455667788 && same;
  same = reader.varint() == 321 && same;
  same = reader.leb() == std::numeric_limits<std::uint64_t>::max() && same;
  same = reader.block16() == "mqtt" && same;
  same = reader.block() == "record" && same;
  same = reader.bytes(1) == "!" && same;
  return same;
}

}  // namespace

TEST_CASE("ByteWriter writes the frozen bytes", "[base]") {
  CHECK(write_all() ==
        "\xfe\1\2\xa1\xb2\xc3\xd4\x11\x22\x33\x44\x55\x66\x77\x88\xc1\2"
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0\4mqtt\6record!"s);
}

TEST_CASE("ByteReader reads what ByteWriter wrote, and nothing is left", "[base]") {
  const Exact bytes{write_all()};
  ByteReader reader{bytes.view()};
  CHECK(read_all(reader));
  CHECK(reader.done());
}

TEST_CASE("ByteReader fails on every strict prefix and stays failed", "[base]") {
  const Bytes whole = write_all();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const Exact bytes{BytesView{whole}.substr(0, size)};
    ByteReader reader{bytes.view()};
    CHECK_FALSE(read_all(reader));
    CHECK_FALSE(reader.ok());
    CHECK_FALSE(reader.done());
    CHECK(reader.empty());
    CHECK(reader.u64() == 0);
    CHECK(reader.varint() == 0);
    CHECK(reader.leb() == 0);
    CHECK(reader.bytes(1).empty());
    CHECK_FALSE(reader.take(0).ok());
  }
}

TEST_CASE("ByteReader is not done while a byte is left", "[base]") {
  ByteReader reader{"ab"};
  CHECK(reader.u8() == 'a');
  CHECK(reader.ok());
  CHECK_FALSE(reader.done());
  CHECK(reader.left() == 1);
  CHECK(reader.rest() == "b");
}

TEST_CASE("ByteReader takes integers of variable length at their borders", "[base]") {
  struct Row {
    std::uint64_t value;
    Bytes bytes;
  };
  const auto row = GENERATE(values<Row>({{0, "\0"s},
                                         {127, "\x7f"},
                                         {128, "\x80\1"},
                                         {16383, "\xff\x7f"},
                                         {16384, "\x80\x80\1"},
                                         {268435455, "\xff\xff\xff\x7f"}}));
  CAPTURE(row.value);
  Bytes written;
  ByteWriter{written}.leb(row.value);
  CHECK(written == row.bytes);
  ByteReader leb{row.bytes};
  CHECK(leb.leb() == row.value);
  CHECK(leb.done());
  ByteReader varint{row.bytes};
  CHECK(varint.varint() == row.value);
  CHECK(varint.done());
}

TEST_CASE("ByteReader refuses integers that are too long", "[base]") {
  ByteReader five{"\x80\x80\x80\x80\1"};  // MQTT allows four bytes.
  CHECK(five.varint() == 0);
  CHECK_FALSE(five.ok());
  ByteReader sixty_five_bits{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\2"};
  CHECK(sixty_five_bits.leb() == 0);
  CHECK_FALSE(sixty_five_bits.ok());
  ByteReader eleven{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1"};
  CHECK(eleven.leb() == 0);
  CHECK_FALSE(eleven.ok());
}

TEST_CASE("ByteReader refuses lengths beyond the end, however big", "[base]") {
  Bytes bytes;
  ByteWriter{bytes}.leb(GENERATE(as<std::uint64_t>{}, 4, std::uint64_t{1} << 32,
                                 std::numeric_limits<std::uint64_t>::max()));
  bytes += "abc";
  const Exact exact{bytes};
  ByteReader block{exact.view()};
  CHECK(block.block().empty());
  CHECK_FALSE(block.ok());

  const Exact short_string{"\0\4abc"s};
  ByteReader string{short_string.view()};
  CHECK(string.block16().empty());
  CHECK_FALSE(string.ok());

  ByteReader huge{"abc"};
  CHECK(huge.bytes(std::numeric_limits<std::size_t>::max()).empty());
  CHECK_FALSE(huge.ok());
}

TEST_CASE("ByteReader keeps a nested block within its length", "[base]") {
  ByteReader reader{"abcdef"};
  ByteReader nested = reader.take(2);
  CHECK(nested.bytes(3).empty());
  CHECK_FALSE(nested.ok());
  CHECK(reader.ok());
  CHECK(reader.rest() == "cdef");

  ByteReader empty = reader.take(0);
  CHECK(empty.done());
  ByteReader beyond = reader.take(5);
  CHECK_FALSE(beyond.ok());
  CHECK_FALSE(reader.ok());
}

TEST_CASE("ByteReader can be failed by who finds a value wrong", "[base]") {
  ByteReader reader{"abc"};
  reader.fail();
  CHECK(reader.empty());
  CHECK_FALSE(reader.done());
}

}  // namespace naru

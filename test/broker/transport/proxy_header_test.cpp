// test/broker/transport/proxy_header_test.cpp
//
// Goal: both forms of the header are read as HAProxy writes them, and nothing else passes for one.
// Method: tables of whole headers; every strict prefix of each; lengths and checksums that lie.

#include "broker/transport/proxy_header.hpp"

#include <catch2/catch.hpp>

#include "storage/base/crc32c.hpp"
#include "storage/base/limits.hpp"
#include "test/support/hex.hpp"

namespace naru::transport {
namespace {

using enum ProxyVerdict;

const Bytes signature = test::from_hex("0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a");

Bytes block(std::string_view head, const Bytes& body) {
  Bytes out = signature + test::from_hex(head);
  out.push_back(static_cast<char>(body.size() >> 8));
  out.push_back(static_cast<char>(body.size() & 0xff));
  return out + body;
}

const Bytes v4 = test::from_hex("0a 00 00 07 c0 a8 00 01 30 39 07 5b");

}  // namespace

TEST_CASE("A PROXY header says who speaks, and where it ends", "[proxy]") {
  struct Row {
    unsigned version;
    Bytes header;
    Bytes address;
  };
  const Bytes v6 = test::from_hex("20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01") +
                   Bytes(16, '\0') + test::from_hex("30 39 07 5b");
  const auto row = GENERATE_COPY(values<Row>({
      {1, "PROXY TCP4 10.0.0.7 192.168.0.1 12345 1883\r\n", "10.0.0.7:12345"},
      {1, "PROXY TCP6 2001:DB8::1 ::1 12345 1883\r\n", "2001:db8::1:12345"},
      {1, "PROXY UNKNOWN\r\n", ""},
      {1, "PROXY UNKNOWN whatever it says\r\n", ""},
      {2, block("21 11", v4), "10.0.0.7:12345"},
      {2, block("21 21", v6), "2001:db8::1:12345"},
      {2, block("21 31", Bytes(216, 'x')), "unix"},
      {2, block("21 00", "anything"), ""},
      {2, block("20 00", ""), ""},
      {2, block("20 11", v4), ""},
      {2, block("21 11", v4 + test::from_hex("04 00 02 00 00 20 00 01 07")), "10.0.0.7:12345"},
  }));
  ProxyHeader header;
  REQUIRE(decode_proxy_header(row.header + "behind", row.version, header) == complete);
  CHECK(header.size == row.header.size());
  CHECK(header.address == row.address);
  for (std::size_t size = 0; size < row.header.size(); ++size) {
    CHECK(decode_proxy_header(row.header.substr(0, size), row.version, header) == incomplete);
  }
  CHECK(decode_proxy_header(row.header, 3 - row.version, header) == malformed);
}

TEST_CASE("What is no PROXY header is malformed, as early as that shows", "[proxy]") {
  struct Row {
    unsigned version;
    Bytes header;
  };
  const auto row = GENERATE_COPY(values<Row>({
      {1, "\x10"},
      {1, "GET / HTTP/1.1\r\n"},
      {1, "PROXX"},
      {1, "PROXY TCP4 10.0.0.7 192.168.0.1 12345\r\n"},
      {1, "PROXY TCP4 10.0.0.7 192.168.0.1 12345 99999\r\n"},
      {1, "PROXY TCP4 10.0.0.7 192.168.0.1 +1 1\r\n"},
      {1, "PROXY TCP4 10.0.0.700 192.168.0.1 1 1\r\n"},
      {1, "PROXY TCP4 ::1 ::1 1 1\r\n"},
      {1, "PROXY TCP6 1.2.3.4 ::1 1 1\r\n"},
      {1, "PROXY TCP4  10.0.0.7 192.168.0.1 1 1\r\n"},
      {1, "PROXY UDP4 10.0.0.7 192.168.0.1 1 1\r\n"},
      {1, "PROXY " + Bytes(107, 'x')},
      {2, "\r\n\r\nQ"},
      {2, signature + test::from_hex("11 11 00 0c") + v4},  // Version 1 in this form.
      {2, signature + test::from_hex("22 11 00 0c") + v4},  // No such command.
      {2, block("21 12", v4)},                              // UDP.
      {2, block("21 11", v4.substr(1))},                    // Shorter than its addresses.
      {2, block("21 21", v4)},
      {2, signature + test::from_hex("21 11 ff ff")},     // More than we take.
      {2, block("21 11", v4 + test::from_hex("04 00"))},  // Extensions that do not end.
      {2, block("21 11", v4 + test::from_hex("04 00 05 00"))},
      {2, block("21 11", v4 + test::from_hex("03 00 04 00 00 00 01"))},  // A wrong checksum.
  }));
  CAPTURE(test::to_hex(row.header));
  ProxyHeader header;
  CHECK(decode_proxy_header(row.header, row.version, header) == malformed);
}

TEST_CASE("A right checksum passes", "[proxy]") {
  Bytes header = block("21 11", v4 + test::from_hex("03 00 04 00 00 00 00"));
  const std::uint32_t sum = crc32c(header);
  for (std::size_t i = 0; i < 4; ++i) {
    header[header.size() - 4 + i] = static_cast<char>(sum >> (24 - 8 * i));
  }
  ProxyHeader out;
  CHECK(decode_proxy_header(header, 2, out) == complete);
}

}  // namespace naru::transport

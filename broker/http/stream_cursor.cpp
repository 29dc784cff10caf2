#include "broker/http/stream_cursor.hpp"

#include "storage/base/base64.hpp"
#include "storage/base/byte_reader.hpp"
#include "storage/base/byte_writer.hpp"
#include "storage/base/crc32c.hpp"

namespace naru::broker {

namespace {

constexpr std::uint8_t cursor_version = 1;
constexpr std::size_t checksum_size = 4;

static_assert(cluster::lane_count <= 256, "a lane is one byte in a token");

std::uint32_t checksum(BytesView stream, BytesView content) {
  return crc32c(content, crc32c(stream));
}

}  // namespace

Bytes encode_cursor(BytesView stream, const StreamCursor& cursor) {
  Bytes token;
  ByteWriter writer{token};
  writer.u8(cursor_version);
  for (std::size_t lane = 0; lane < cursor.next.size(); ++lane) {
    if (cursor.next[lane] == 1) continue;
    writer.u8(static_cast<std::uint8_t>(lane));
    writer.leb(cursor.next[lane]);
  }
  writer.u32(checksum(stream, token));
  return encode_base64url(token);
}

Result<StreamCursor> decode_cursor(BytesView stream, BytesView token) {
  const Error bad{Errc::invalid, "'" + Bytes{token.substr(0, 80)} + "' is no position in stream " +
                                     Bytes{stream} +
                                     "; say earliest, latest, Unix milliseconds, or a cursor as "
                                     "an answer for this stream gave it"};
  const auto bytes = decode_base64url(token);
  if (!bytes || bytes->size() < 1 + checksum_size) return bad;
  const BytesView content = BytesView{*bytes}.substr(0, bytes->size() - checksum_size);
  ByteReader end{BytesView{*bytes}.substr(content.size())};
  ByteReader in{content};
  if (end.u32() != checksum(stream, content) || in.u8() != cursor_version) return bad;
  StreamCursor cursor;
  int last_lane = -1;
  while (!in.empty()) {
    const int lane = in.u8();
    const std::uint64_t next = in.leb();
    if (!in.ok() || lane <= last_lane || next <= 1) return bad;
    cursor.next[static_cast<std::size_t>(lane)] = next;
    last_lane = lane;
  }
  if (!in.ok()) return bad;
  return cursor;
}

}  // namespace naru::broker

// test/broker/mqtt/properties_test.cpp
//
// Goal: each property of MQTT 5 stands where it may, as often as it may, with the values it may
// have. Method: walk the table itself, writing each row's property into blocks for every packet.

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "broker/mqtt/properties.hpp"
#include "storage/base/byte_writer.hpp"
#include "test/support/exact_buffer.hpp"

namespace naru::mqtt {
namespace {

using namespace std::string_view_literals;

// A value every rule accepts.
Bytes good_value(const PropertyRow& row) {
  switch (row.wire) {
    case Wire::byte: return "\1";
    case Wire::u16: return Bytes("\0\1", 2);
    case Wire::u32: return Bytes("\0\0\0\1", 4);
    case Wire::varint: return "\x81\x01";
    case Wire::utf8:
    case Wire::binary: return Bytes("\0\3abc", 5);
    case Wire::utf8_pair: return Bytes("\0\1k\0\2vw", 7);
  }
  return {};
}

Bytes written(const PropertyRow& row, const Bytes& value) {
  return static_cast<char>(row.id) + value;
}

struct Walked {
  DecodeError error;
  std::vector<Property> found;
  std::size_t left;
};

// Decodes from a heap buffer of exactly the block's size.
Walked walk(BytesView wire, Places here) {
  const test::ExactBuffer exact{wire};
  ByteReader in{exact.view()};
  Walked result{DecodeError::none, {}, 0};
  BytesView raw;
  result.error =
      decode_properties(in, here, raw, [&](const Property& p) { result.found.push_back(p); });
  for (Property& p : result.found) p.bytes = p.value = {};  // They point into `exact`.
  result.left = in.left();
  return result;
}

Bytes with_length(const Bytes& block) {
  Bytes out;
  ByteWriter{out}.varint(static_cast<std::uint32_t>(block.size()));
  return out + block;
}

Walked walk_block(const Bytes& block, Places here) { return walk(with_length(block), here); }

const PropertyRow& row_of(std::uint8_t id) {
  for (const PropertyRow& row : property_rows()) {
    if (row.id == id) return row;
  }
  FAIL("no such property");
  return property_rows().front();
}

}  // namespace

TEST_CASE("Every property is taken where the table allows it and nowhere else",
          "[mqtt][MQTT-2.2.2]") {
  for (const PropertyRow& row : property_rows()) {
    for (Places here = 1; here < place::everywhere; here = static_cast<Places>(here << 1)) {
      CAPTURE(row.name, here);
      const Bytes once = written(row, good_value(row));
      const bool allowed = (row.allowed & here) != 0;
      const bool repeatable = (row.repeatable & here) != 0;
      const Walked one = walk_block(once, here);
      CHECK(one.error == (allowed ? DecodeError::none : DecodeError::property_misplaced));
      CHECK(one.found.size() == (allowed ? 1u : 0u));
      if (!allowed) continue;
      CHECK(one.found[0].id == row.id);
      CHECK(walk_block(once + once, here).error ==
            (repeatable ? DecodeError::none : DecodeError::property_repeated));
    }
  }
}

TEST_CASE("A property that is cut off is malformed at every length", "[mqtt]") {
  for (const PropertyRow& row : property_rows()) {
    const Bytes whole = written(row, good_value(row));
    for (std::size_t size = 1; size < whole.size(); ++size) {
      CAPTURE(row.name, size);
      for (Places here = 1; here < place::everywhere; here = static_cast<Places>(here << 1)) {
        if ((row.allowed & here) == 0) continue;
        CHECK(walk_block(whole.substr(0, size), here).error == DecodeError::malformed);
        // The block promises more than the packet has.
        CHECK(walk(with_length(whole).substr(0, 1 + size), here).error == DecodeError::malformed);
      }
    }
  }
}

TEST_CASE("A block never reads what lies behind it", "[mqtt]") {
  const Bytes block = written(row_of(property::content_type), Bytes("\0\3ab", 4));
  CHECK(walk(with_length(block) + "payload", place::publish).error == DecodeError::malformed);
  const Walked good = walk(Bytes("\x02\x01\x01rest", 7), place::publish);
  CHECK(good.error == DecodeError::none);
  CHECK(good.left == 4);
}

TEST_CASE("Numbers without a property are refused", "[mqtt]") {
  for (int id = 0; id < 256; ++id) {
    bool known = false;
    for (const PropertyRow& row : property_rows()) known |= row.id == id;
    if (known) continue;
    CAPTURE(id);
    const Bytes block = static_cast<char>(id) + Bytes(8, '\1');
    CHECK(walk_block(block, place::publish).error == DecodeError::property_unknown);
  }
}

TEST_CASE("Values outside their range are refused", "[mqtt]") {
  for (const PropertyRow& row : property_rows()) {
    const Places here = static_cast<Places>(row.allowed & -row.allowed);  // The first of them.
    CAPTURE(row.name);
    if (row.rule == Rule::zero_or_one) {
      CHECK(walk_block(written(row, Bytes(1, '\0')), here).error == DecodeError::none);
      CHECK(walk_block(written(row, "\2"), here).error == DecodeError::property_value);
      CHECK(walk_block(written(row, "\xff"), here).error == DecodeError::property_value);
    }
    const Bytes zero(row.wire == Wire::u16 ? 2 : row.wire == Wire::varint ? 1 : 4, '\0');
    if (row.rule == Rule::not_zero) {
      CHECK(walk_block(written(row, zero), here).error == (row.id == property::topic_alias
                                                               ? DecodeError::topic_alias_invalid
                                                               : DecodeError::property_value));
    } else if (row.wire == Wire::u16 || row.wire == Wire::u32) {
      CHECK(walk_block(written(row, zero), here).error == DecodeError::none);
    }
    if (row.wire == Wire::utf8) {
      CHECK(walk_block(written(row, Bytes("\0\1\xff", 3)), here).error == DecodeError::malformed);
      CHECK(walk_block(written(row, Bytes("\0\1\0", 3)), here).error == DecodeError::malformed);
    }
    if (row.wire == Wire::binary) {
      CHECK(walk_block(written(row, Bytes("\0\1\xff", 3)), here).error == DecodeError::none);
    }
  }
  const PropertyRow& pair = row_of(property::user_property);
  CHECK(walk_block(written(pair, Bytes("\0\1\xff\0\1v", 6)), place::auth).error ==
        DecodeError::malformed);
  CHECK(walk_block(written(pair, Bytes("\0\1k\0\1\xff", 6)), place::auth).error ==
        DecodeError::malformed);
  const PropertyRow& response = row_of(property::response_topic);
  CHECK(walk_block(written(response, Bytes("\0\3a/#", 5)), place::publish).error ==
        DecodeError::property_value);
  CHECK(walk_block(written(response, Bytes("\0\0", 2)), place::publish).error ==
        DecodeError::property_value);
}

TEST_CASE("Integers longer than they must be are malformed", "[mqtt][MQTT-1.5.5-1]") {
  CHECK(walk("\x80\x00"sv, place::publish).error == DecodeError::malformed);
  CHECK(walk("\x80\x80\x80\x80\x00"sv, place::publish).error == DecodeError::malformed);
  CHECK(walk("\x03\x0b\x81\x00"sv, place::publish).error == DecodeError::malformed);
  CHECK(walk("\x05\x0b\xff\xff\xff\x7f"sv, place::publish).error == DecodeError::none);
  CHECK(walk("\x06\x0b\xff\xff\xff\xff\x01"sv, place::publish).error == DecodeError::malformed);
}

TEST_CASE("Sizes of variable byte integers change where MQTT says", "[mqtt][MQTT-1.5.5]") {
  struct Row {
    std::uint32_t value;
    BytesView bytes;
  };
  const auto row = GENERATE(values<Row>({{0, "\0"sv},
                                         {127, "\x7f"},
                                         {128, "\x80\x01"},
                                         {16'383, "\xff\x7f"},
                                         {16'384, "\x80\x80\x01"},
                                         {2'097'151, "\xff\xff\x7f"},
                                         {2'097'152, "\x80\x80\x80\x01"},
                                         {268'435'455, "\xff\xff\xff\x7f"}}));
  char raw[4];
  CHECK(BytesView(raw, static_cast<std::size_t>(put_varint(raw, row.value) - raw)) == row.bytes);
  CHECK(varint_size(row.value) == row.bytes.size());
  ByteReader in{row.bytes};
  CHECK(minimal_varint(in) == row.value);
  CHECK(in.done());
}

TEST_CASE("copy_properties_without leaves out what it is told, in order", "[mqtt]") {
  const Bytes first("\x26\0\1a\0\1b", 7), alias("\x23\0\5", 3), type("\x03\0\1t", 4),
      id("\x0b\x07", 2), second("\x26\0\1a\0\1c", 7), expiry("\x02\0\0\0\x09", 5);
  const Bytes raw = first + alias + type + id + second + expiry;
  Bytes out = "kept ";
  copy_properties_without(raw, hop_properties, out);
  CHECK(out == "kept " + first + type + second);

  out.clear();
  copy_properties_without(raw, {}, out);
  CHECK(out == raw);

  out.clear();
  copy_properties_without({}, hop_properties, out);
  CHECK(out.empty());
}

TEST_CASE("Ranges find their properties among others", "[mqtt]") {
  const BytesView raw =
      "\x26\0\1a\0\1b\x0b\x07\x03\0\1t\x0b\x80\x01\x26\0\1a\0\1c"sv;  // Two of each, mixed.
  std::vector<std::uint32_t> ids;
  for (const std::uint32_t id : SubscriptionIds{raw}) ids.push_back(id);
  CHECK(ids == std::vector<std::uint32_t>{7, 128});

  Bytes text;
  for (const Property& pair : UserProperties{raw}) {
    text += Bytes(pair.bytes) + '=' + Bytes(pair.value) + ' ';
  }
  CHECK(text == "a=b a=c ");
  CHECK(PropertyRange{raw}.size() == 5);
  CHECK(PropertyRange{}.empty());
  CHECK(PropertyRange{"\x03\0\5t"sv}.empty());  // Ends at a defect.
}

}  // namespace naru::mqtt

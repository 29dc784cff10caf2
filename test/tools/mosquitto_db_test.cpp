// test/tools/mosquitto_db_test.cpp
//
// Goal: every chunk of a mosquitto.db is read as mosquitto means it, and no damaged file is taken.
// Method: files made by hand; each prefix, each length that lies, and each wrong value.

#include "tools/naru/mosquitto_db.hpp"

#include <catch2/catch.hpp>

#include "storage/base/byte_writer.hpp"

namespace naru::tools {
namespace {

Bytes native(std::uint64_t value) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i, value >>= 8) bytes.push_back(static_cast<char>(value & 0xff));
  return bytes;
}

Bytes u16(unsigned value) {
  Bytes bytes;
  ByteWriter{bytes}.u16(static_cast<std::uint16_t>(value));
  return bytes;
}
Bytes u32(std::uint32_t value) {
  Bytes bytes;
  ByteWriter{bytes}.u32(value);
  return bytes;
}
Bytes u8(unsigned value) { return Bytes(1, static_cast<char>(value)); }

Bytes chunk(std::uint32_t kind, const Bytes& body) {
  return u32(kind) + u32(static_cast<std::uint32_t>(body.size())) + body;
}

Bytes head(std::uint32_t format = 6) {
  return Bytes{"\0\xb5\0mosquitto db", 15} + u32(0) + u32(format);
}
Bytes configuration() { return chunk(1, native(9) + u8(1) + u8(8) + Bytes(6, '\0')); }
Bytes message(std::uint64_t id, const Bytes& topic, const Bytes& payload,
              const Bytes& properties = {}, unsigned qos = 1) {
  return chunk(2, native(id) + native(0) + u32(static_cast<std::uint32_t>(payload.size())) +
                      u16(3) + u16(2) + u16(1) + u16(static_cast<unsigned>(topic.size())) +
                      u16(1883) + u8(qos) + u8(1) + "me" + "u" + topic + payload + properties);
}
Bytes place(std::uint64_t id, const Bytes& client, unsigned state = 11, unsigned qos = 1,
            const Bytes& properties = {}) {
  return chunk(3, native(id) + u16(7) + u16(static_cast<unsigned>(client.size())) + u8(qos) +
                      u8(state) + u8(0x11) + u8(1) + client + properties);
}
Bytes retained(std::uint64_t id) { return chunk(4, native(id)); }
Bytes subscription(const Bytes& client, const Bytes& filter) {
  return chunk(5, u32(4) + u16(static_cast<unsigned>(client.size())) +
                      u16(static_cast<unsigned>(filter.size())) + u8(2) + u8(0x0c) + u16(0) +
                      client + filter);
}
Bytes client6(const Bytes& id, const Bytes& user) {
  return chunk(6, native(1234) + u32(600) + u16(9) + u16(static_cast<unsigned>(id.size())) +
                      u16(1883) + u16(static_cast<unsigned>(user.size())) + u32(0) + id + user);
}

Bytes whole() {
  return head() + configuration() + message(5, "a/b", "pay", Bytes{"\x02\x01\x01", 3}) +
         client6("car", "bob") + place(5, "car", 3, 1, Bytes{"\x02\x0b\x04", 3}) + retained(5) +
         subscription("car", "a/#");
}

}  // namespace

TEST_CASE("A whole mosquitto.db is read", "[import]") {
  const Bytes file = whole();
  const auto db = decode_mosquitto_db(file);
  REQUIRE(db.has_value());
  CHECK(db->format == 6);
  REQUIRE(db->messages.size() == 1);
  const MosquittoMessage& message = db->message(5);
  CHECK(message.topic == "a/b");
  CHECK(message.payload == "pay");
  CHECK(message.sender == "me");
  CHECK(message.properties == BytesView{"\x01\x01", 2});
  CHECK(message.qos == 1);
  CHECK(message.retain);
  REQUIRE(db->clients.size() == 1);
  CHECK(db->clients[0].id == "car");
  CHECK(db->clients[0].expires_at == 1234);
  CHECK(db->clients[0].expiry_s == 600);
  REQUIRE(db->places.size() == 1);
  CHECK(db->places[0].client == "car");
  CHECK(db->places[0].packet_id == 7);
  CHECK(db->places[0].state == MosquittoState::puback);
  CHECK(db->places[0].retain);
  CHECK_FALSE(db->places[0].incoming);
  CHECK(db->places[0].subscription_id == 4);
  REQUIRE(db->subscriptions.size() == 1);
  CHECK(db->subscriptions[0].filter == "a/#");
  CHECK(db->subscriptions[0].options == 0x0c);
  CHECK(db->subscriptions[0].qos == 2);
  CHECK(db->retained == std::vector<std::uint64_t>{5});
}

TEST_CASE("Format 5 has clients without a user", "[import]") {
  const Bytes client = chunk(6, native(0) + u32(600) + u16(9) + u16(3) + "car");
  const Bytes file = head(5) + client;
  const auto db = decode_mosquitto_db(file);
  REQUIRE(db.has_value());
  CHECK(db->clients[0].id == "car");
  CHECK_FALSE(decode_mosquitto_db(head(6) + client).has_value());
}

TEST_CASE("The user of a client is passed over, whatever bytes stand there", "[import]") {
  const Bytes heap{"\0\xff\x07\n", 4};
  const Bytes user = GENERATE_COPY(values<Bytes>({"bob", heap, Bytes(65'535, '\0')}));
  const Bytes file = head() + client6("car", user) + client6("next", "");
  const auto db = decode_mosquitto_db(file);
  REQUIRE(db.has_value());
  REQUIRE(db->clients.size() == 2);
  CHECK(db->clients[0].id == "car");
  CHECK(db->clients[1].id == "next");
}

TEST_CASE("A file that ends too early is damaged where its last chunk begins", "[import]") {
  const Bytes file = whole();
  std::size_t good = 0;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const Bytes prefix = file.substr(0, size);
    if (decode_mosquitto_db(prefix)) ++good;
  }
  CHECK(good == 6);  // Behind the head and behind each chunk but the last.
  const auto cut = decode_mosquitto_db(head() + configuration().substr(0, 20));
  REQUIRE_FALSE(cut.has_value());
  CHECK(cut.error().code == Errc::corrupt);
  CHECK_THAT(cut.error().text, Catch::Contains("damaged at byte 23: a configuration of 16 bytes"));
}

TEST_CASE("What a damaged file says is not believed", "[import]") {
  struct Case {
    const char* name;
    Bytes file;
    std::string problem;
  };
  Bytes lies = message(1, "a", "x");
  lies[8 + 16 + 3] = 9;  // A payload that is longer than its chunk.
  Bytes longer = configuration();
  longer[7] = 17;
  const auto one = GENERATE_COPY(values<Case>({
      {"empty", "", "this is no mosquitto.db"},
      {"another file", Bytes(100, 'x'), "this is no mosquitto.db"},
      {"format 4", head(4), "start mosquitto 2.0 with it once"},
      {"format 7", head(7), "of a later mosquitto"},
      {"unknown chunk", head() + chunk(7, "x"), "at byte 23: there is no chunk of kind 7"},
      {"chunk beyond the end", head() + longer, "17 bytes is cut off"},
      {"chunk with more", head() + chunk(4, native(1) + "x"), "this retained message is none"},
      {"payload beyond the chunk", head() + lies, "this message is none"},
      {"topic with wildcard", head() + message(1, "a/#", "x"), "this message is none"},
      {"QoS 3", head() + message(1, "a", "x", "", 3), "this message is none"},
      {"bad properties", head() + message(1, "a", "x", Bytes{"\x05\x01", 2}), "is none"},
      {"message twice", head() + message(1, "a", "x") + message(1, "a", "x"), "is none"},
      {"state 12", head() + message(1, "a", "x") + place(1, "c", 12), "queued message is none"},
      {"place without message", head() + place(2, "c"), "names message 2, which is not in it"},
      {"retained without message", head() + retained(2), "retains message 2, which is not"},
      {"no filter", head() + subscription("c", "a/#/b"), "this subscription is none"},
      {"client without id", head() + client6("", "u"), "this client is none"},
  }));
  CAPTURE(one.name);
  const auto db = decode_mosquitto_db(one.file);
  REQUIRE_FALSE(db.has_value());
  CHECK_THAT(db.error().text, Catch::Contains(one.problem));
}

}  // namespace naru::tools

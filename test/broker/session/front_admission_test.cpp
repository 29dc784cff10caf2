// test/broker/session/front_admission_test.cpp
//
// Goal: a client comes in when its answer or its proof is there, with the right code where it does
// not, and nothing of it counts before. Method: dialogues in MQTT packets; each fails once at every
// step.

#include "test/broker/session/front_dialogue.hpp"

namespace naru::broker {
namespace {

using namespace dialogue;

// RFC 7677 section 3.
constexpr BytesView client_first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr BytesView client_final =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr BytesView server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

Bytes auth_packet(ReasonCode reason, std::optional<BytesView> data, BytesView method = scram) {
  mqtt::Auth packet;
  packet.reason = reason;
  packet.method = method;
  packet.data = data;
  Bytes bytes;
  mqtt::encode(packet, mqtt::Version::v5, bytes);
  return bytes;
}

constexpr auto continued = ReasonCode::continue_authentication;
constexpr auto again = ReasonCode::re_authenticate;

// A shard whose client has come in by SCRAM.
std::unique_ptr<Shard> proved() {
  auto shard = std::make_unique<Shard>();
  shard->hear(connect_packet(scram, client_first));
  shard->said();
  shard->hear(auth_packet(continued, client_final));
  CHECK(shard->said_one(PacketType::connack).reason == ReasonCode::success);
  return shard;
}

}  // namespace

TEST_CASE("Front keeps a client waiting until its answer is there", "[session][gate]") {
  Shard shard;
  shard.hear(connect_packet({}, {}, "alice"));
  CHECK(shard.said().empty());
  REQUIRE(shard.core.output().applications.size() == 1);
  CHECK(shard.core.output().applications[0].connection == id);
  CHECK(shard.core.output().applications[0].user == Bytes{"alice"});
  shard.hear(ping());  // Not taken: it comes again.
  CHECK(shard.said().empty());
  shard.answer({Verdict::admitted});
  CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::success);
  CHECK(shard.core.output().resumed == std::vector<ConnectionId>{id});
  shard.answer({Verdict::refused});  // Too late to matter.
  shard.hear(ping());
  CHECK(shard.said_one(PacketType::pingresp).reason == ReasonCode::success);
}

TEST_CASE("Front tells a refused client why", "[session][gate]") {
  struct Row {
    Verdict verdict;
    bool admits;
    ReasonCode reason;
  };
  const Row row = GENERATE(values<Row>({
      {Verdict::refused, true, ReasonCode::bad_user_name_or_password},
      {Verdict::busy, true, ReasonCode::server_busy},
      {Verdict::admitted, false, ReasonCode::bad_user_name_or_password},  // A reload went by.
  }));
  Shard shard;
  shard.hear(connect_packet({}, {}, "alice"));
  shard.gate.admits = row.admits;
  shard.answer({row.verdict});
  CHECK(shard.said_one(PacketType::connack).reason == row.reason);
  CHECK(shard.is_closing());
}

TEST_CASE("Front tells a client whose judge has failed that it is not its password",
          "[session][gate]") {
  Shard shard;
  shard.hear(connect_packet({}, {}, "alice"));
  shard.answer({Verdict::refused, "auth_http_url failed: it answered 500", true});
  CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::server_unavailable);
  CHECK(shard.is_closing());
  CHECK(shard.core.counters().failed_access_calls == 1);
  REQUIRE(shard.core.output().denials.size() == 1);
  CHECK(shard.core.output().denials[0].why == "auth_http_url failed: it answered 500");
}

TEST_CASE("Where ids come from names, that of a token counts as well", "[session][gate]") {
  Shard shard;
  shard.gate.ids.from = ClientIdRule::From::user;
  shard.gate.admission = {Verdict::admitted};
  SECTION("of a token that names its user") {
    shard.gate.admission.user = "u1";
    shard.hear(connect_packet());
    CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::success);
    const Connection* const c = std::as_const(shard.core.front()).find(id);
    CHECK(c->client_id == "u1");
    CHECK(c->identity == "u1");
  }
  SECTION("after the right for its will was asked for, too") {
    shard.gate.admission.user = "u1";
    shard.gate.asks = true;
    mqtt::Connect packet;
    packet.will.emplace().topic = "a";
    Bytes bytes;
    mqtt::encode(packet, bytes);
    shard.hear(bytes);
    CHECK(shard.said().empty());
    shard.turn([&] { shard.core.front().on_right(id, {"a", Access::write, true, {}, Millis{0}}); });
    const Connection* const c = std::as_const(shard.core.front()).find(id);
    CHECK(c->state == Connection::State::attaching);  // CONNACK follows the will's record.
    CHECK(c->client_id == "u1");
  }
  SECTION("and without either there is none") {
    shard.hear(connect_packet());
    CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::not_authorized);
  }
}

TEST_CASE("Front gives up on a client that is judged for too long", "[session][gate]") {
  Shard shard;
  shard.hear(connect_packet({}, {}, "alice"));
  shard.now = shard.now + Seconds{11};
  shard.turn([] {});
  CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::server_busy);
  CHECK(shard.is_closing());
  shard.answer({Verdict::admitted});
  CHECK(shard.said().empty());
}

TEST_CASE("Front forgets a client that leaves while it is judged", "[session][gate]") {
  Shard shard;
  shard.hear(connect_packet({}, {}, "alice"));
  shard.turn([&] { shard.core.front().closed(id); });
  shard.answer({Verdict::admitted});
  CHECK(shard.core.front().size() == 0);
  CHECK(shard.core.counters().disconnects == 0);
}

TEST_CASE("Front speaks SCRAM as RFC 7677 has it, inside MQTT", "[session][scram][MQTT-4.12]") {
  Shard shard;
  shard.hear(connect_packet(scram, client_first));
  const Said challenge = shard.said_one(PacketType::auth);
  CHECK(challenge.reason == continued);
  CHECK(challenge.data.ends_with(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
  CHECK(shard.core.output().applications.empty());
  shard.hear(auth_packet(continued, client_final));
  const Said connack = shard.said_one(PacketType::connack);
  CHECK(connack.reason == ReasonCode::success);
  CHECK(connack.data == server_final);
}

TEST_CASE("Front refuses what is wrong at each step of SCRAM", "[session][scram][MQTT-4.12]") {
  struct Row {
    Bytes connect, answer;
    ReasonCode reason;
  };
  const Bytes good = connect_packet(scram, client_first);
  const Row rows[] = {
      {connect_packet("SCRAM-SHA-1", client_first), {}, ReasonCode::bad_authentication_method},
      {connect_packet(scram), {}, ReasonCode::not_authorized},
      {connect_packet(scram, "n,,n=,r=x"), {}, ReasonCode::not_authorized},
      {connect_packet(scram, client_first, "root"), {}, ReasonCode::not_authorized},
      {good, ping(), ReasonCode::protocol_error},
      {good, good, ReasonCode::protocol_error},
      {good, auth_packet(again, client_first), ReasonCode::protocol_error},
      {good, auth_packet(continued, client_final, "PLAIN"), ReasonCode::protocol_error},
      {good, auth_packet(continued, {}), ReasonCode::not_authorized},
      {good, auth_packet(continued, "c=biws,r=x,p=AAAA"), ReasonCode::not_authorized},
  };
  for (const Row& row : rows) {
    Shard shard;
    shard.hear(row.connect);
    if (!row.answer.empty()) {
      CHECK(shard.said_one(PacketType::auth).reason == continued);
      shard.hear(row.answer);
    }
    CHECK(shard.said_one(PacketType::connack).reason == row.reason);
    CHECK(shard.is_closing());
    CHECK(shard.core.counters().connects == 0);
  }
}

TEST_CASE("Front offers SCRAM only where the gate does", "[session][scram]") {
  Shard shard;
  shard.gate.offers_scram = false;
  shard.hear(connect_packet(scram, client_first));
  CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::bad_authentication_method);
}

TEST_CASE("A connected client proves itself again", "[session][scram][MQTT-4.12.1]") {
  const auto shard = proved();
  shard->hear(auth_packet(again, client_first));
  CHECK(shard->said_one(PacketType::auth).reason == continued);
  shard->hear(ping());  // Life goes on meanwhile.
  CHECK(shard->said_one(PacketType::pingresp).reason == ReasonCode::success);
  shard->hear(auth_packet(continued, client_final));
  const Said done = shard->said_one(PacketType::auth);
  CHECK(done.reason == ReasonCode::success);
  CHECK(done.data == server_final);
}

TEST_CASE("What is wrong in a second proof ends the connection", "[session][scram][MQTT-4.12.1]") {
  struct Row {
    std::vector<Bytes> packets;
    ReasonCode reason;
  };
  const Row rows[] = {
      {{auth_packet(again, client_first, "SCRAM-SHA-1")}, ReasonCode::protocol_error},
      {{auth_packet(continued, client_final)}, ReasonCode::protocol_error},
      {{auth_packet(again, client_first), auth_packet(again, client_first)},
       ReasonCode::protocol_error},
      {{auth_packet(again, "n,,n=other,r=x")}, ReasonCode::not_authorized},
      {{auth_packet(again, "x")}, ReasonCode::not_authorized},
      {{auth_packet(again, client_first), auth_packet(continued, "x")}, ReasonCode::not_authorized},
  };
  for (const Row& row : rows) {
    const auto shard = proved();
    for (const Bytes& packet : row.packets) {
      shard->said();
      shard->hear(packet);
    }
    CHECK(shard->said_one(PacketType::disconnect).reason == row.reason);
    CHECK(shard->is_closing());
  }
}

}  // namespace naru::broker

// test/broker/session/connection_values_test.cpp
//
// Goal: rights follow the claims of a client's token and the fields of its certificate, through a
// wait for admission and a reload, and nothing is kept of who needs none of it. Method: dialogues
// with a gate that admits with claims, and a peer with a certificate.

#include "broker/session/connection_values.hpp"

#include <openssl/x509.h>

#include "test/broker/session/front_dialogue.hpp"

namespace naru::broker {
namespace {

using namespace dialogue;

std::shared_ptr<const Acl> rules(const std::string& text) {
  auto acl = Acl::parse(text, "acl");
  REQUIRE(acl.has_value());
  return std::make_shared<const Acl>(std::move(*acl));
}

Admission with_fleet(BytesView fleet) {
  Admission admission{Verdict::admitted};
  admission.ends_at = 1'000'000;
  admission.claims.add("fleet", fleet);
  return admission;
}

Peer with_unit(BytesView unit) {
  X509* const made = X509_new();
  X509_NAME_add_entry_by_NID(X509_get_subject_name(made), NID_organizationalUnitName, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(unit.data()),
                             static_cast<int>(unit.size()), -1, 0);
  Peer peer{"10.0.0.1:5", 0};
  peer.names = std::make_shared<const PeerNames>(PeerNames{{}, {}, PeerCertificate{made}});
  return peer;
}

ReasonCode publish(Shard& shard, BytesView topic) {
  Bytes bytes;
  mqtt::PublishHead head;
  head.qos = mqtt::Qos::at_least_once;
  head.packet_id = 1;
  mqtt::encode_publish(bytes, mqtt::Version::v5, head, topic, {}, "x");
  const std::uint64_t before = shard.core.counters().denied_publishes;
  shard.hear(bytes);
  shard.said_one(PacketType::puback);
  const bool denied = shard.core.counters().denied_publishes != before;
  return denied ? ReasonCode::not_authorized : ReasonCode::success;
}

void reload(Shard& shard, const std::string& text) {
  shard.gate.acl = rules(text);
  shard.turn([&] { shard.core.front().reload(); });
}

const Connection& connection_of(Shard& shard) {
  return *std::as_const(shard.core.front()).find(id);
}

using Values = std::vector<std::pair<Bytes, Bytes>>;

}  // namespace

TEST_CASE("Claims of a token decide, also when its admission took its time", "[session][gate]") {
  const bool waits = GENERATE(false, true);
  Shard shard;
  shard.gate.acl = rules("pattern write fleet/${jwt.fleet}/#\n");
  if (!waits) shard.gate.admission = with_fleet("7");
  shard.hear(connect_packet());
  if (waits) shard.answer(with_fleet("7"));
  CHECK(shard.said_one(PacketType::connack).reason == ReasonCode::success);
  CHECK(publish(shard, "fleet/7/a") == ReasonCode::success);
  CHECK(publish(shard, "fleet/8/a") == ReasonCode::not_authorized);
  CHECK(named_values(connection_of(shard)) == Values{{"${jwt.fleet}", "7"}});
}

TEST_CASE("A reload reads what its rules name of a certificate, and forgets the rest",
          "[session][gate]") {
  Shard shard;
  shard.gate.admission = {Verdict::admitted};
  shard.gate.acl = rules("pattern write car/%c\n");
  shard.turn([&] { shard.core.front().introduce(id, with_unit("trucks")); });
  shard.hear(connect_packet());
  shard.said();
  CHECK(connection_of(shard).granted == nullptr);

  reload(shard, "pattern write unit/${cert.ou}\npattern write org/${cert.o}\n");
  CHECK(publish(shard, "unit/trucks") == ReasonCode::success);
  CHECK(publish(shard, "unit/cars") == ReasonCode::not_authorized);
  CHECK(publish(shard, "org/x") == ReasonCode::not_authorized);
  CHECK(named_values(connection_of(shard)) == Values{{"${cert.ou}", "trucks"}, {"${cert.o}", ""}});

  reload(shard, "pattern write car/%c\n");
  CHECK(connection_of(shard).granted->values == nullptr);
}

TEST_CASE("A reload may name claims that no rule has named before", "[session][gate]") {
  Shard shard;
  shard.gate.admission = with_fleet("7");
  shard.gate.admission.claims.add("region", "west");
  shard.gate.acl = rules("pattern write fleet/${jwt.fleet}\n");
  shard.hear(connect_packet());
  shard.said();
  reload(shard, "pattern write region/${jwt.region}\n");
  CHECK(publish(shard, "region/west") == ReasonCode::success);
  CHECK(publish(shard, "fleet/7") == ReasonCode::not_authorized);
}

TEST_CASE("The acl of a token has variables as well, and both have to allow", "[session][gate]") {
  Shard shard;
  shard.gate.admission = with_fleet("7");
  shard.gate.admission.acl = rules("pattern write +/${cert.ou}\n");
  shard.gate.acl = rules("pattern write ${jwt.fleet}/#\n");
  shard.turn([&] { shard.core.front().introduce(id, with_unit("trucks")); });
  shard.hear(connect_packet());
  shard.said();
  CHECK(publish(shard, "7/trucks") == ReasonCode::success);
  CHECK(publish(shard, "7/cars") == ReasonCode::not_authorized);
  CHECK(publish(shard, "8/trucks") == ReasonCode::not_authorized);
}

TEST_CASE("Nothing is kept of who has no values", "[session][gate]") {
  Shard shard;
  shard.gate.admission = {Verdict::admitted};
  shard.gate.acl = rules("pattern write fleet/${jwt.fleet}/${cert.ou}\n");
  shard.hear(connect_packet());
  shard.said();
  CHECK(connection_of(shard).granted == nullptr);
  CHECK(publish(shard, "fleet/7/x") == ReasonCode::not_authorized);
}

}  // namespace naru::broker

// test/broker/app/bridge_config_test.cpp
//
// Goal: a `connection` section means what it means to mosquitto, and what cannot work is named
// with its line. Method: texts in, values and problems out.

#include <catch2/catch.hpp>

#include "broker/app/config_file.hpp"

namespace naru::broker {
namespace {

ConfigOutcome parse(std::string text) {
  return parse_config({"a.conf", std::move(text)}, [](const std::string& directory) {
    return Result<std::vector<SourceFile>>{Error{Errc::io, "cannot read " + directory}};
  });
}

std::string problems_of(const ConfigOutcome& outcome) {
  std::string text;
  for (const Problem& problem : outcome.problems) text += to_string(problem) + "\n";
  return text;
}

const std::string whole = "connection up\naddress a\ntopic # out 1\n";

}  // namespace

TEST_CASE("A connection section is read as mosquitto reads it", "[config][bridge]") {
  const ConfigOutcome outcome = parse(
      "connection cloud\naddresses a:8883 [::1]:1884\naddress b\ntopic a/# both 2 x/ y/\n"
      "topic b in\nclientid me\nusername u\npassword p\ncleansession true\n"
      "restart_timeout 10 60\nbridge_protocol_version mqttv50\nbridge_cafile /ca\n"
      "bridge_alpn x-amzn-mqtt-ca\nmax_keepalive 5\nbridge_require_ocsp false\n");
  INFO(problems_of(outcome));
  REQUIRE(outcome.ok());
  CHECK(outcome.config.max_keepalive == 5);
  REQUIRE(outcome.config.bridges.size() == 1);
  const BridgeConfig& one = outcome.config.bridges[0];
  CHECK(one.name == "cloud");
  CHECK(one.addresses == std::vector<std::string>{"a:8883 [::1]:1884", "b"});
  CHECK(one.topics == std::vector<std::string>{"a/# both 2 x/ y/", "b in"});
  CHECK(one.remote_clientid == "me");
  CHECK(one.remote_username == "u");
  CHECK(one.remote_password == "p");
  CHECK(one.cleansession);
  CHECK_FALSE(one.local_cleansession);
  CHECK(one.keepalive_interval == 60);
  CHECK(one.protocol == BridgeProtocol::v5);
  CHECK(one.notifications);
  CHECK(one.try_private);
}

TEST_CASE("What a bridge cannot be is an error with its line", "[config][bridge]") {
  struct Case {
    std::string lines, problem;
  };
  const auto one = GENERATE(values<Case>({
      {"connection up\ntopic # out\n", "a.conf:1: error: connection needs an 'address"},
      {"connection up\naddress a\n", "a.conf:1: error: connection needs a 'topic"},
      {"connection up!\naddress a\ntopic #\n", "a.conf:1: error: this needs a name"},
      {whole + "connection up\naddress a\ntopic #\n", "stands already in line 1"},
      {whole + "address b:0\n", "a.conf:4: error: address 'b:0': expected HOST"},
      {whole + "address [::1\n", "a.conf:4: error: address"},
      {whole + "topic a/# sideways\n", "is no direction: write out, in or both"},
      {whole + "topic a/# in 3\n", "is no QoS"},
      {whole + "topic \"\" out 1\n", "needs both prefixes"},
      {whole + "topic a out 1 x+/ y/\n", "has a wildcard"},
      {whole + "topic a/#/b out\n", "is no filter"},
      {whole + "topic a out 1 b c d\n", "one word too many"},
      {whole + "start_type lazy\n", "a.conf:4: error: start_type lazy is not supported: write"},
      {whole + "restart_timeout 30 5\n", "a.conf:4: error: restart_timeout '30 5': expected"},
      {whole + "restart_timeout 0\n", "a.conf:4: error: restart_timeout"},
      {whole + "bridge_psk 1234\n", "a.conf:4: error: 'bridge_psk' is not supported: keys"},
      {whole + "bridge_identity me\n", "a.conf:4: error: 'bridge_identity' is not supported"},
      {whole + "bridge_require_ocsp true\n", "is not supported but for 'false'"},
      {whole + "bridge_certfile /c\n", "a.conf:4: error: bridge_certfile needs the other"},
      {whole + "bridge_insecure true\n", "a.conf:4: error: bridge_insecure needs bridge_cafile"},
      {whole + "bridge_alpn x\n", "a.conf:4: error: bridge_alpn needs bridge_cafile"},
      {whole + "bridge_tls_version tlsv1.1\n", "a.conf:4: error: bridge_tls_version"},
      {whole + "notification_topic a/#\n", "this is no topic of MQTT"},
      {whole + "remote_password p\n", "a.conf:4: error: remote_password needs a remote_username"},
      {whole + "nonsense 1\n", "unknown key 'nonsense'"},
      {whole + "bridge_bind_address eth0\n", "a.conf:4: error: bridge_bind_address 'eth0': expec"},
      {whole + "clientid c\n\nconnection b\naddress a\ntopic #\nremote_clientid c\n",
       "a.conf:6: error: connection b has the same client id here, 'local.c', as connection up in "
       "line 1 of a.conf"},
      {whole + "clientid c\nconnection b\naddress a\ntopic #\nlocal_clientid local.c\n",
       "a.conf:5: error: connection b has the same client id here"},
  }));
  CAPTURE(one.lines);
  const ConfigOutcome outcome = parse(one.lines);
  CHECK_FALSE(outcome.ok());
  CHECK_THAT(problems_of(outcome), Catch::Contains(one.problem));
}

TEST_CASE("Bridges may share a remote client id where each has its own here", "[config][bridge]") {
  const ConfigOutcome outcome =
      parse(whole + "clientid c\nlocal_clientid one\nbridge_bind_address 192.0.2.1\n" +
            "connection b\naddress b\ntopic #\nclientid c\nbridge_bind_address fe80::1%eth0\n" +
            "connection d\naddress d\ntopic #\nconnection e\naddress e\ntopic #\n");
  INFO(problems_of(outcome));
  CHECK(outcome.ok());
}

TEST_CASE("A dumped bridge reads back as it was", "[config][bridge]") {
  const Config config = parse(whole + "round_robin true\nrestart_timeout 7\nclientid c\n").config;
  const ConfigOutcome again = parse(dump(config));
  INFO(problems_of(again));
  CHECK(again.config == config);
}

}  // namespace naru::broker

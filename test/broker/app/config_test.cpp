// test/broker/app/config_test.cpp
//
// Goal: a mosquitto.conf means what it means to mosquitto, nothing that protects is ignored, and
// every mistake is named with its line. Method: texts in, values and problems out; the tables are
// walked for what must hold of every row.

#include "broker/app/config.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "broker/app/config_file.hpp"

namespace naru::broker {
namespace {

Result<std::vector<SourceFile>> no_directory(const std::string& directory) {
  return Error{Errc::io, "cannot read " + directory};
}

ConfigOutcome parse(std::string text) {
  return parse_config({"a.conf", std::move(text)}, no_directory);
}

std::string problems_of(const ConfigOutcome& outcome) {
  std::string text;
  for (const Problem& problem : outcome.problems) text += to_string(problem) + "\n";
  return text;
}

Config good(const std::string& text) {
  const ConfigOutcome outcome = parse(text);
  INFO(problems_of(outcome));
  REQUIRE(outcome.ok());
  return outcome.config;
}

template <class Rows>
void check_rows(const Rows& rows, std::set<std::string_view>& keys) {
  for (const auto& row : rows) {
    CAPTURE(row.spec.key);
    CHECK(keys.insert(row.spec.key).second);
    CHECK_FALSE(find_foreign_key(row.spec.key));
    CHECK(row.spec.help.ends_with('.'));
    if (!row.spec.default_text.empty())
      CHECK(parse_option(row.spec, row.spec.default_text).has_value());
  }
}

}  // namespace

TEST_CASE("Every option has valid defaults, help and a key of its own", "[config]") {
  std::set<std::string_view> keys;
  check_rows(global_options(), keys);
  check_rows(listener_options(), keys);
  check_rows(rule_options(), keys);
  check_rows(stream_options(), keys);
  check_rows(bridge_options(), keys);
  const std::string page = reference_page();
  for (const auto key : keys) CHECK_THAT(page, Catch::Contains("| `" + std::string{key} + "` |"));
}

TEST_CASE("Without a configuration only this machine can connect, and may", "[config]") {
  const Config config = good("");
  REQUIRE(config.listeners.size() == 2);
  CHECK(config.listeners[0].address == "127.0.0.1");
  CHECK(config.listeners[1].address == "::1");
  CHECK(config.listeners[1].optional);
  CHECK(config.listeners[0].port == 1883);
  CHECK(allows_anonymous(config, config.listeners[0]));
  CHECK(config.max_inflight_messages == 0);
  CHECK(config.max_packet_size == 2 * 1024 * 1024);
  CHECK(config.persistence_location == "./var");
  CHECK(config.api_socket == "./var/naru.sock");
  CHECK(config.durability == storage::Durability::synced);
  CHECK(config.log_dest == std::vector<std::string>{"stderr"});
  CHECK_FALSE(good("allow_anonymous false\npassword_file p\n").allow_anonymous);
}

TEST_CASE("With a listener nobody is anonymous unless the file says so", "[config]") {
  CHECK_FALSE(good("listener 1883\n").allow_anonymous);
  CHECK(good("listener 1883\nallow_anonymous true\n").allow_anonymous);
  CHECK_FALSE(good("port 1884\n").allow_anonymous);
  CHECK(problems_of(parse("listener 1883\n")).find("no client can connect") != std::string::npos);

  const Config config =
      good("password_file /p\nlistener 1883\nlistener 1884 ::1\nlistener_allow_anonymous true\n");
  CHECK_FALSE(allows_anonymous(config, config.listeners[0]));
  CHECK(allows_anonymous(config, config.listeners[1]));
}

TEST_CASE("Sections take their keys, and global keys stay global behind them", "[config]") {
  const Config config = good(
      "listener auto 127.0.0.1\r\nmax_connections 5\r\n\r\nmax_keepalive 60 seconds, please\r\n"
      "  listener 1884 # a note\nstream s\nretention 7d\nkeys_max 10\nretain_available 0\n"
      "rule r\nfrom a/+/b\nfrom c/#\nto s\nkey ${topic[1]}-${client_id}-${a.b}\n");
  REQUIRE(config.listeners.size() == 2);
  ListenerConfig first = default_listener();
  first.port = 0;
  first.address = "127.0.0.1";
  first.max_connections = 5;
  first.jwt_username_claim = "sub";
  CHECK(config.listeners[0] == first);
  CHECK(config.listeners[1].port == 1884);
  CHECK(config.listeners[1].address.empty());
  CHECK(config.max_keepalive == 60);
  CHECK_FALSE(config.retain_available);
  REQUIRE(config.rules.size() == 1);
  CHECK(config.rules[0].from == std::vector<std::string>{"a/+/b", "c/#"});
  CHECK(config.rules[0].key == "${topic[1]}-${client_id}-${a.b}");
  REQUIRE(config.streams.size() == 2);
  CHECK(config.streams[0].retention == std::chrono::hours{7 * 24});
  CHECK(config.streams[0].keys_max == 10);
  CHECK(config.streams[1].name == "dead-letter");
}

TEST_CASE("max_qos is of one listener, and before all of them of the default one", "[config]") {
  const Config config = good(
      "max_qos 1\nport 1884\nlistener auto 127.0.0.1\nmaximum_qos 0\nlistener auto 127.0.0.2\n");
  REQUIRE(config.listeners.size() == 3);
  CHECK(config.listeners[0].max_qos == 1);
  CHECK(config.listeners[1].max_qos == 0);
  CHECK(config.listeners[2].max_qos == 2);
}

TEST_CASE("Dead letters have limits where there are rules, those of their section or others'",
          "[config]") {
  CHECK(good("stream s\n").streams.size() == 1);
  const std::string rule = "stream s\nrule r\nfrom a\nto s\n";
  const Config config = good(rule);
  REQUIRE(config.streams.size() == 2);
  CHECK(config.streams[1].retention == config.streams[0].retention);
  CHECK(config.streams[1].keys_max == config.streams[0].keys_max);
  const Config own = good(rule + "stream dead-letter\nretention 1h\n");
  REQUIRE(own.streams.size() == 2);
  CHECK(own.streams[1].retention == std::chrono::hours{1});
  CHECK(problems_of(parse("stream s\nretention_bytes 1M\n")).find("not limited by bytes yet") !=
        std::string::npos);
}

TEST_CASE("A mistake is named with its line and what would be right", "[config]") {
  struct Row {
    std::string before;
    std::string line;
    std::string hint;
  };
  const std::string rule = "stream s\nrule x\nto s\nfrom q\n";
  const auto row = GENERATE_COPY(values<Row>({
      {"", " # indented", "first column"},
      {"", "\tpassword_file x", "tab"},
      {"", "max_keepalive\t5", "tab"},
      {"", "Max_Keepalive 5", "lower case"},
      {"", "max_keepaliv 5", "did you mean 'max_keepalive'?"},
      {"", "max_keepalive 70000", "0 to 65535 seconds"},
      {"", "max_keepalive", "has no value"},
      {"", "max_inflight_messages 32768", "0 to 32767"},
      {"", "max_packet_size 19", "at least 20 bytes"},
      {"", "persistent_client_expiration 5", "a time such as"},
      {"", "stream_disk_percent 95", "must not fall"},
      {"", "retention 3d", "belongs below a line 'stream NAME'"},
      {"", "key ${a}", "belongs below a line 'rule NAME'"},
      {"stream s\n", "max_connections 5", "belongs below a line 'listener PORT'"},
      {"", "log_dest paper", "stderr, 'file PATH' or none"},
      {"", "command_prefix a/#", "topic levels"},
      {"", "include_dir /none", "cannot read /none"},
      {"", "api_socket a\x01", "control character"},
      {"", "api_socket /" + std::string(107, 'x'), "more than 107 bytes"},
      {"password_file a\n", "password_file b", "already set in line 1 of a.conf"},
      {"", "port 0", "1 to 65535"},
      {"", "listener 70000", "1 to 65535"},
      {"", "listener 0", "needs the path"},
      {"", "listener 0 /" + std::string(107, 'x'), "at most 107 bytes"},
      {"listener 0 /s\n", "listener 0 /s", "already in line 1 of a.conf"},
      {"listener 0 /s\n", "socket_domain ipv4", "remove the line"},
      {"listener 0 /s\n", "socket_mode 0888", "octal mode"},
      {"listener 0 /s\n", "socket_mode 1777", "octal mode"},
      {"listener 1883\n", "socket_mode 660", "'listener 0 PATH' alone"},
      {"listener 1883\n", "socket_domain ipv5", "ipv4"},
      {"\nlistener 1883 ::1\n", "listener 1883 ::1", "already in line 2 of a.conf"},
      {"listener 1883\n", "max_connections many", "a whole number"},
      {"listener 1883\n", "certfile /c", "needs a keyfile"},
      {"listener 1883\n", "enable_proxy_protocol 3", "0 to 2"},
      {"listener 1883\n", "keyfile /k", "needs a certfile"},
      {"listener 1883\n", "cafile /c", "needs certfile and keyfile"},
      {"listener 1883\n", "tls_version tlsv1.1", "tlsv1.2"},
      {"listener 1883\ncertfile /c\nkeyfile /k\n", "require_certificate true", "needs a cafile"},
      {"listener 1883\ncertfile /c\nkeyfile /k\n", "crlfile /r", "require_certificate true"},
      {"listener 1883\ncertfile /c\nkeyfile /k\n", "use_identity_as_username true",
       "require_certificate true"},
      {"listener 1\ncertfile /c\nkeyfile /k\ncafile /a\nrequire_certificate true\n"
       "use_identity_as_username true\n",
       "use_subject_as_username true", "choose one"},
      {"", "stream a b", "needs a name"},
      {"", "stream", "needs a name"},
      {"", "rule r", "has no 'from FILTER'"},
      {"stream t\n", "rule r", "has no 'to STREAM'"},
      {rule, "rule x", "stands already in line 2"},
      {rule, "from a/#/b", "no filter of MQTT"},
      {rule, "from $share/g/a", "shared"},
      {rule, "key ${topic[x]}", "none of"},
      {rule, "key ${a", "no '}'"},
      {rule, "to", "has no value"},
      {rule, "to s", "already set in line 3"},
      {rule, "select *", "whole messages"},
  }));
  CAPTURE(row.line, row.hint);
  const auto line = std::count(row.before.begin(), row.before.end(), '\n') + 1;
  const ConfigOutcome outcome = parse(row.before + row.line + "\n");
  INFO(problems_of(outcome));
  const std::string place = "a.conf:" + std::to_string(line) + ": error: ";
  CHECK(std::any_of(outcome.problems.begin(), outcome.problems.end(), [&](const Problem& one) {
    const std::string text = to_string(one);
    return text.starts_with(place) && text.find(row.hint) != std::string::npos;
  }));
}

TEST_CASE("All mistakes are found at once", "[config]") {
  const ConfigOutcome outcome = parse("max_keepalive x\nshards y\nfoo\nrule r\nto t\n");
  CHECK(outcome.problems.size() == 5);
}

TEST_CASE("What would protect or change something is never ignored", "[config]") {
  const auto line = GENERATE(
      as<std::string>{}, "plugin /p.so", "auth_plugin /p.so", "plugin_opt_x 1", "auth_opt_x y",
      "psk_file /p", "psk_hint h", "persistence false", "cafile /c", "certfile /c", "keyfile /k",
      "require_certificate true", "use_identity_as_username true", "use_subject_as_username 1",
      "tls_version tlsv1.3", "ciphers DEFAULT", "ciphers_tls1.3 x", "capath /c", "tls_engine x",
      "protocol http_api", "websockets_origin https://a", "http_dir /www", "bind_interface eth0",
      "mount_point a/", "max_qos 3", "accept_protocol_versions 5", "connection x", "sink kafka x",
      "bridge_cafile /c", "cluster x", "crlfile /c", "allow_zero_length_clientid false",
      "topic # both", "queue_qos0_messages true");
  CAPTURE(line);
  const ConfigOutcome outcome = parse("listener 1883\n" + line + "\nallow_anonymous true\n");
  REQUIRE_FALSE(outcome.ok());
  const Problem& problem = outcome.problems.front();
  CHECK(problem.line == 2);
  CHECK(problem.text.size() > 20);
}

TEST_CASE("What says that we do as we do is fine, and what is harmless is noticed", "[config]") {
  const auto fine = GENERATE(as<std::string>{}, "per_listener_settings false", "persistence true",
                             "persistence 1", "require_certificate false", "protocol mqtt",
                             "max_qos 1", "maximum_qos 2", "accept_protocol_versions 3, 4, 5",
                             "allow_zero_length_clientid true", "upgrade_outgoing_qos false now");
  CAPTURE(fine);
  CHECK(parse("password_file p\nlistener 1883\n" + fine + "\n").problems.empty());
  const auto ignored = GENERATE(as<std::string>{}, "autosave_interval 5", "retry_interval 20",
                                "user mosquitto", "set_tcp_nodelay true", "persistence_file x");
  const ConfigOutcome outcome = parse("password_file p\nlistener 1883\n" + ignored + "\n");
  CHECK(outcome.ok());
  CHECK(outcome.problems.size() == 1);
}

TEST_CASE("A refused section is one error, but a global key in it still counts", "[config]") {
  const ConfigOutcome outcome = parse(
      "cluster b\ncluster_seeds x:1883\nmax_keepalive 5\n"
      "psk_file /a\nsink kafka m\nbrokers x\n");
  CHECK(problems_of(outcome).find("a.conf:1: error: clusters") == 0);
  CHECK(outcome.problems.size() == 3);
  CHECK(outcome.config.max_keepalive == 5);
}

TEST_CASE("A key of a listener before any listener must not get lost", "[config]") {
  CHECK(good("max_connections 7\n").listeners[1].max_connections == 7);
  const Config old = good("bind_address 10.0.0.1\nport 1999\nmax_connections 7\nlistener 1884\n");
  REQUIRE(old.listeners.size() == 2);
  CHECK(old.listeners[0].port == 1999);
  CHECK(old.listeners[0].address == "10.0.0.1");
  CHECK(old.listeners[0].max_connections == 7);
  CHECK_FALSE(parse("max_connections 7\nlistener 1884\n").ok());
}

TEST_CASE("A listener knows where its lines stand", "[config]") {
  const Config config = good("\nlistener 0 /run/s\nsocket_mode 600\nallow_anonymous true\n");
  const ListenerConfig& one = config.listeners[0];
  CHECK(one.is_unix);
  CHECK(one.address == "/run/s");
  CHECK(parse_mode(one.socket_mode) == 0600u);
  CHECK(name_of(one) == "0 /run/s");
  CHECK(place_text(one.places, "socket_mode") == "a.conf:3: error: ");
  // Not set: the section's.
  CHECK(place_text(one.places, "max_connections") == "a.conf:2: error: ");
}

TEST_CASE("Debian's mosquitto.conf is read with what its include_dir adds", "[config]") {
  const SourceFile debian{"mosquitto.conf",
                          "# Place your local configuration in /etc/mosquitto/conf.d/\n\n"
                          "pid_file /run/mosquitto/mosquitto.pid\n\npersistence true\n"
                          "persistence_location /var/lib/mosquitto/\n\n"
                          "log_dest file /var/log/mosquitto/mosquitto.log\n\nlistener 1\n"
                          "include_dir /etc/mosquitto/conf.d\nmax_connections 3\n"};
  std::string asked;
  const ReadDirectory directory = [&](const std::string& name) {
    asked = name;
    return std::vector<SourceFile>{{"one.conf", "listener 1883\nallow_anonymous true\n"},
                                   {"two.conf", "include_dir x\nbogus 1"}};
  };
  const ConfigOutcome outcome = parse_config(debian, directory);
  CHECK(asked == "/etc/mosquitto/conf.d");
  REQUIRE(outcome.problems.size() == 2);
  CHECK(to_string(outcome.problems[1]) == "two.conf:2: error: unknown key 'bogus'");
  CHECK(outcome.problems[0].kind == Problem::Kind::notice);
  const Config& config = outcome.config;
  REQUIRE(config.listeners.size() == 2);
  CHECK(config.listeners[0].max_connections == 3);  // Goes on behind the include.
  CHECK(config.listeners[1].max_connections == -1);
  CHECK(config.allow_anonymous);
  CHECK(config.api_socket == "/var/lib/mosquitto/naru.sock");
  CHECK(log_options(config).file == "/var/log/mosquitto/mosquitto.log");
  CHECK_FALSE(log_options(config).to_stderr);
}

TEST_CASE("The API's socket follows the data directory unless the file names it", "[config]") {
  Config config = good("persistence_location /var/lib/mosquitto/\n");
  set_data_directory(config, "/data");
  CHECK(config.persistence_location == "/data");
  CHECK(config.api_socket == "/data/naru.sock");
  set_data_directory(config, "/data/");
  CHECK(config.api_socket == "/data/naru.sock");
  Config named = good("persistence_location /old\napi_socket /old/naru.sock\n");
  set_data_directory(named, "/data");
  CHECK(named.api_socket == "/old/naru.sock");
}

TEST_CASE("A dump reads back as the same configuration", "[config]") {
  const auto text = GENERATE(
      as<std::string>{}, "",
      "listener 1883\nlistener auto ::1\nlistener_allow_anonymous true\npassword_file /a b\n"
      "max_packet_size 0\nqueue_drop oldest\npersistent_client_expiration 2m\nlog_type error\n"
      "listener 8883\ncertfile /c\nkeyfile /k\ncafile /a\nrequire_certificate true\n"
      "use_identity_as_username true\ncrlfile /r\ntls_version tlsv1.3\nciphers A:B\n"
      "ciphers_tls1.3 C\ndhparamfile /d\n"
      "listener 8084\nenable_proxy_protocol 2\nprotocol websockets\nwebsockets_origin "
      "https://a\nwebsockets_origin b\n"
      "listener 0 /run/s\nsocket_mode 666\nlistener 1885\nsocket_domain ipv6\n"
      "log_dest file /x y\nlog_dest stderr\ncommit_interval 100ms\ndurability written\n"
      "stream telemetry\nrule telemetry\nfrom vehicles/+/telemetry\nto telemetry\n"
      "key ${topic[1]}\n");
  const Config first = good(text);
  const std::string dumped = dump(first);
  INFO(dumped);
  CHECK(good(dumped) == first);
}

TEST_CASE("per_listener_settings gives each listener its own files", "[config]") {
  const Config config = good(
      "per_listener_settings true\nlistener 1883\nallow_anonymous true\nacl_file /a\n"
      "listener 1884\npassword_file /p\nlistener 1885\n");
  REQUIRE(config.listeners.size() == 3);
  CHECK(allows_anonymous(config, config.listeners[0]));
  CHECK(acl_file_of(config, config.listeners[0]) == "/a");
  CHECK(password_file_of(config, config.listeners[0]).empty());
  CHECK(password_file_of(config, config.listeners[1]) == "/p");
  CHECK_FALSE(allows_anonymous(config, config.listeners[1]));
  CHECK_FALSE(allows_anonymous(config, config.listeners[2]));
  CHECK(good(dump(config)) == config);
}

TEST_CASE("Without per_listener_settings the files are for all listeners", "[config]") {
  const Config config = good(
      "listener 1883\npassword_file /p\nacl_file /a\nlistener 1884\n"
      "use_username_as_clientid true\nclientid_prefixes car-\n");
  for (const ListenerConfig& each : config.listeners) {
    CHECK(password_file_of(config, each) == "/p");
    CHECK(acl_file_of(config, each) == "/a");
  }
  CHECK(config.listeners[0].clientid_from == ClientIdFrom::none);
  CHECK(config.listeners[1].clientid_from == ClientIdFrom::username);
  CHECK(config.clientid_prefixes == "car-");
  CHECK(good(dump(config)) == config);
}

TEST_CASE("per_listener_settings stands in front of what it is about", "[config]") {
  CHECK(problems_of(parse("acl_file /a\nper_listener_settings true\nlistener 1883\n"))
            .find("a.conf:1: error: with per_listener_settings 'acl_file' belongs below") == 0);
}

TEST_CASE("per_listener_settings without a listener lets this machine in", "[config]") {
  const Config config = good("per_listener_settings true\nacl_file /a\n");
  for (const ListenerConfig& each : config.listeners) {
    CHECK(allows_anonymous(config, each));
    CHECK(acl_file_of(config, each) == "/a");
  }
}

}  // namespace naru::broker

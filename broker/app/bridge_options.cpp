// The table of a bridge's options, and what only several of them show to be wrong.

#include "broker/app/bridge_config.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "broker/app/config.hpp"
#include "broker/bridge/topic_rule.hpp"
#include "broker/mqtt/topics.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {
namespace {

using enum OptionType;

// Another word of mosquitto's for an option.
template <auto member>
OptionRow<BridgeConfig> alias(OptionSpec spec) {
  OptionRow<BridgeConfig> row = option<member>(spec);
  row.get = [](const BridgeConfig&) { return std::vector<OptionValue>{}; };
  return row;
}

std::string_view take_word(std::string_view& text) {
  text = trim(text);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

template <class Number>
bool parse_number(std::string_view word, Number& out) {
  const char* const end = word.data() + word.size();
  const auto [stop, failure] = std::from_chars(word.data(), end, out);
  return failure == std::errc{} && stop == end;
}

// HOST, HOST:PORT, or an IPv6 address, in brackets where a port follows.
std::optional<HostPort> parse_host(std::string_view word) {
  HostPort one;
  std::size_t end = word.size();
  if (word.starts_with('[')) {
    end = word.find(']');
    if (end == word.npos) return std::nullopt;
    one.host = word.substr(1, end - 1);
    ++end;
  } else if (std::count(word.begin(), word.end(), ':') == 1) {
    end = word.find(':');
    one.host = word.substr(0, end);
  } else {
    one.host = word;
  }
  if (one.host.empty()) return std::nullopt;
  if (end == word.size()) return one;
  const bool good = word[end] == ':' && parse_number(word.substr(end + 1), one.port);
  return good && one.port != 0 ? std::optional{one} : std::nullopt;
}

bool is_ip_address(std::string_view text) {
  in6_addr address{};                                      // Large enough for both.
  const std::string word{text.substr(0, text.find('%'))};  // An IPv6 zone may follow.
  return ::inet_pton(AF_INET6, word.c_str(), &address) == 1 ||
         (word.size() == text.size() && ::inet_pton(AF_INET, word.c_str(), &address) == 1);
}

}  // namespace

std::optional<std::vector<HostPort>> parse_hosts(std::string_view text) {
  std::vector<HostPort> hosts;
  for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
    auto host = parse_host(word);
    if (!host) return std::nullopt;
    hosts.push_back(std::move(*host));
  }
  return hosts.empty() ? std::nullopt : std::optional{hosts};
}

std::optional<RestartTimes> parse_restart(std::string_view text) {
  RestartTimes times;
  std::uint32_t base = 0;
  std::uint32_t most = 0;
  if (!parse_number(take_word(text), base) || base == 0) return std::nullopt;
  const std::string_view second = take_word(text);
  if (second.empty()) {
    most = base;
  } else if (!parse_number(second, most) || most < base) {
    return std::nullopt;
  }
  constexpr std::uint32_t day = 24 * 3600;
  if (most > day || !trim(text).empty()) return std::nullopt;
  times.base = Seconds{base};
  times.most = Seconds{most};
  return times;
}

// clang-format off
const std::vector<OptionRow<BridgeConfig>>& bridge_options() {
  using B = BridgeConfig;
  static const std::vector<OptionRow<BridgeConfig>> rows = {
    option<&B::addresses>({.key = "address", .repeats = true, .help = "HOST[:PORT] of the remote broker, port 1883 else; further ones behind it are tried when it is away."}),
    alias<&B::addresses>({.key = "addresses", .repeats = true, .help = "The same."}),
    option<&B::topics>({.key = "topic", .repeats = true, .help = "PATTERN [out, in or both [QOS [LOCAL-PREFIX REMOTE-PREFIX]]]: what crosses; \"\" is no prefix, and as pattern the prefixes are whole topics."}),
    option<&B::round_robin>({.key = "round_robin", .type = boolean, .default_text = "false", .help = "true: each attempt takes the next address; false: the first is gone back to when it answers."}),
    option<&B::remote_clientid>({.key = "remote_clientid", .help = "The client id at the remote broker; not set: HOST.NAME."}),
    alias<&B::remote_clientid>({.key = "clientid", .help = "mosquitto's older word for remote_clientid."}),
    option<&B::remote_username>({.key = "remote_username", .help = "The user name at the remote broker."}),
    alias<&B::remote_username>({.key = "username", .help = "mosquitto's older word for remote_username."}),
    option<&B::remote_password>({.key = "remote_password", .secret = true, .help = "The password at the remote broker."}),
    alias<&B::remote_password>({.key = "password", .secret = true, .help = "mosquitto's older word for remote_password."}),
    option<&B::local_clientid>({.key = "local_clientid", .help = "The client id here, whose session has what waits; not set: local. and the remote client id."}),
    option<&B::local_username>({.key = "local_username", .help = "The user its session here belongs to; no right is asked for."}),
    option<&B::cleansession>({.key = "cleansession", .type = boolean, .default_text = "false", .help = "true: the remote broker keeps nothing for it while it is away."}),
    option<&B::local_cleansession>({.key = "local_cleansession", .type = boolean, .help = "true: nothing is kept here while the remote broker is away; not set: as cleansession."}),
    option<&B::keepalive_interval>({.key = "keepalive_interval", .type = integer, .default_text = "60", .max = 65'535, .unit = "seconds", .help = "The longest silence on the way to the remote broker; 0 for any."}),
    option<&B::restart_timeout>({.key = "restart_timeout", .default_text = "5 30", .help = "Seconds until the next attempt: one number, or the least and the most of a wait that grows at random."}),
    option<&B::start_type>({.key = "start_type", .type = word, .default_text = "automatic", .words = "automatic once lazy", .help = "once: not again after the connection ended. lazy is not supported."}),
    option<&B::notifications>({.key = "notifications", .type = boolean, .default_text = "true", .help = "Publish its state, 1 or 0, retained."}),
    option<&B::notifications_local_only>({.key = "notifications_local_only", .type = boolean, .default_text = "false", .help = "Only here, not at the remote broker."}),
    option<&B::notification_topic>({.key = "notification_topic", .help = "Where; not set: $SYS/broker/connection/CLIENTID/state."}),
    option<&B::try_private>({.key = "try_private", .type = boolean, .default_text = "true", .help = "Under 3.x say first that it is a bridge, so that nothing comes back."}),
    option<&B::protocol>({.key = "bridge_protocol_version", .type = word, .default_text = "any", .words = "any mqttv31 mqttv311 mqttv50", .help = "any: MQTT 5, and 3.1.1 with a broker that does not know it."}),
    option<&B::outgoing_retain>({.key = "bridge_outgoing_retain", .type = boolean, .default_text = "true", .help = "false: nothing is retained at the remote broker."}),
    option<&B::attempt_unsubscribe>({.key = "bridge_attempt_unsubscribe", .type = boolean, .default_text = "true", .help = "End subscriptions that an earlier direction of a topic left behind."}),
    option<&B::max_packet_size>({.key = "bridge_max_packet_size", .type = bytes, .default_text = "0", .max = limits::packet_bytes, .help = "Larger messages do not go to the remote broker; 0 for its own limit."}),
    option<&B::bind_address>({.key = "bridge_bind_address", .help = "The address of this machine that it connects from."}),
    option<&B::cafile>({.key = "bridge_cafile", .help = "Authorities that sign the remote broker's certificate, in PEM; makes it TLS."}),
    option<&B::capath>({.key = "bridge_capath", .help = "A directory of them, made by 'openssl rehash'; makes it TLS."}),
    option<&B::use_os_certs>({.key = "bridge_tls_use_os_certs", .type = boolean, .default_text = "false", .help = "TLS that trusts the authorities the system trusts."}),
    option<&B::certfile>({.key = "bridge_certfile", .help = "Its own certificate in PEM, for brokers that ask for one."}),
    option<&B::keyfile>({.key = "bridge_keyfile", .help = "The key of that certificate in PEM, without passphrase."}),
    option<&B::insecure>({.key = "bridge_insecure", .type = boolean, .default_text = "false", .help = "true: the certificate need not name the host that is called."}),
    option<&B::alpn>({.key = "bridge_alpn", .help = "The protocol it asks for by ALPN, such as x-amzn-mqtt-ca for AWS IoT on port 443."}),
    option<&B::tls_version>({.key = "bridge_tls_version", .type = word, .words = "tlsv1.2 tlsv1.3", .help = "The oldest version of TLS; not set: tlsv1.2."}),
    option<&B::ciphers>({.key = "bridge_ciphers", .help = "Ciphers of TLS 1.2, as 'openssl ciphers' takes them."}),
    option<&B::ciphersuites>({.key = "bridge_ciphers_tls1.3", .help = "Ciphers of TLS 1.3, as 'openssl ciphers -ciphersuites' takes them."}),
  };
  return rows;
}
// clang-format on

std::vector<ConfigFault> faults_of(const BridgeConfig& one) {
  std::vector<ConfigFault> faults;
  const auto add = [&](std::string_view key, std::string_view text) {
    faults.push_back({std::string{key}, std::string{key} + " " + std::string{text}});
  };
  const bool tls = !one.cafile.empty() || !one.capath.empty() || one.use_os_certs;
  if (one.addresses.empty()) add("connection", "needs an 'address HOST[:PORT]'");
  if (one.topics.empty()) add("connection", "needs a 'topic PATTERN out|in|both': nothing crosses");
  if (one.start_type == BridgeStart::lazy) {
    add("start_type", "lazy is not supported: write automatic, or remove the line");
  }
  if (one.certfile.empty() != one.keyfile.empty()) {
    add(one.certfile.empty() ? "bridge_keyfile" : "bridge_certfile",
        "needs the other of bridge_certfile and bridge_keyfile beside it");
  }
  const std::pair<std::string_view, bool> only_with_tls[] = {
      {"bridge_certfile", !one.certfile.empty()},
      {"bridge_insecure", one.insecure},
      {"bridge_alpn", !one.alpn.empty()},
      {"bridge_tls_version", one.tls_version.has_value()},
      {"bridge_ciphers", !one.ciphers.empty()},
      {"bridge_ciphers_tls1.3", !one.ciphersuites.empty()},
  };
  for (const auto& [key, set] : only_with_tls) {
    if (set && !tls) {
      add(key,
          "needs bridge_cafile, bridge_capath or 'bridge_tls_use_os_certs true': whose "
          "certificates are to be trusted?");
    }
  }
  if (!one.remote_password.empty() && one.remote_username.empty()) {
    add("remote_password", "needs a remote_username");
  }
  return faults;
}

std::vector<ConfigFault> faults_between(const std::vector<BridgeConfig>& bridges) {
  std::vector<ConfigFault> faults;
  std::map<std::string, const BridgeConfig*> owners;
  for (const BridgeConfig& one : bridges) {
    if (one.local_clientid.empty() && one.remote_clientid.empty()) continue;  // HOST.NAME.
    const std::string id =
        one.local_clientid.empty() ? "local." + one.remote_clientid : one.local_clientid;
    const auto [owner, added] = owners.emplace(id, &one);
    if (added || owner->second->name == one.name) continue;
    std::string text = "connection " + one.name + " has the same client id here, '" + id +
                       "', as connection " + owner->second->name;
    const auto place = owner->second->places.by_key.find("connection");
    if (place != owner->second->places.by_key.end()) {
      text += " in line " + std::to_string(place->second.line) + " of " + place->second.file;
    }
    text += ": they would take over each other; give one a local_clientid of its own";
    faults.push_back({"connection " + one.name, std::move(text)});
  }
  return faults;
}

std::string fault_of_bridge_text(std::string_view key, std::string_view text) {
  if (key == "topic") {
    const auto rule = TopicRule::parse(text);
    return rule ? "" : rule.error().text;
  }
  if ((key == "address" || key == "addresses") && !parse_hosts(text)) {
    return "expected HOST or HOST:PORT, several with spaces between";
  }
  if (key == "restart_timeout" && !parse_restart(text)) {
    return "expected seconds, or a least and a most of them, such as '5 30'";
  }
  if (key == "notification_topic" && !mqtt::valid_topic(text)) return "this is no topic of MQTT";
  if (key == "bridge_bind_address" && !is_ip_address(text)) {
    return "expected an IPv4 or IPv6 address of this machine";
  }
  if (key == "bridge_alpn" && text.size() > 255) return "a protocol's name has at most 255 bytes";
  const bool is_id = key == "remote_clientid" || key == "clientid" || key == "local_clientid";
  if (is_id && (!mqtt::valid_utf8(text) || text.size() > limits::client_id_bytes)) {
    return "this is no client id of MQTT";
  }
  return {};
}

}  // namespace naru::broker

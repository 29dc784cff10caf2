// The table of a listener's options, and what only several of them show to be wrong.

#include <charconv>

#include "broker/app/access_options.hpp"
#include "broker/app/config.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {
namespace {

using enum OptionType;

// mosquitto's older word for clientid_from.
OptionRow<ListenerConfig> use_username_as_clientid(OptionSpec spec) {
  return {spec,
          [](ListenerConfig& one, const OptionValue& value) {
            one.clientid_from = std::get<bool>(value) ? ClientIdFrom::username : ClientIdFrom::none;
          },
          [](const ListenerConfig& one) {
            return std::vector<OptionValue>{one.clientid_from == ClientIdFrom::username};
          }};
}

// A line about certificates that would do nothing is an error: the listener would be open.
std::vector<ConfigFault> faults_of_tls(const ListenerConfig& one) {
  std::vector<ConfigFault> faults;
  const auto add = [&](std::string_view key, std::string_view text) {
    faults.push_back({std::string{key}, std::string{key} + " " + std::string{text}});
  };
  const bool tls = !one.certfile.empty() && !one.keyfile.empty();
  const bool trusts = !one.cafile.empty() || !one.capath.empty();
  if (!one.certfile.empty() && !tls) add("certfile", "needs a keyfile beside it");
  if (!one.keyfile.empty() && !tls) add("keyfile", "needs a certfile beside it");
  const std::pair<std::string_view, bool> only_with_tls[] = {
      {"cafile", !one.cafile.empty()},
      {"capath", !one.capath.empty()},
      {"crlfile", !one.crlfile.empty()},
      {"ciphers", !one.ciphers.empty()},
      {"ciphers_tls1.3", !one.ciphersuites.empty()},
      {"tls_version", one.tls_version.has_value()},
      {"require_certificate", one.require_certificate},
  };
  for (const auto& [key, set] : only_with_tls) {
    if (set && !tls) add(key, "needs certfile and keyfile in the same listener");
  }
  if (one.require_certificate && tls && !trusts) {
    add("require_certificate", "needs a cafile or capath: whose certificates are to be trusted?");
  }
  if (!one.crlfile.empty() && tls && !one.require_certificate) {
    add("crlfile", "needs require_certificate true");
  }
  const std::pair<std::string_view, bool> identities[] = {
      {"clientid_from", one.clientid_from == ClientIdFrom::cn},
      {"use_identity_as_username", one.use_identity_as_username},
      {"use_subject_as_username", one.use_subject_as_username}};
  for (const auto& [key, set] : identities) {
    if (!set || one.require_certificate) continue;
    add(key, key == "clientid_from" ? "cn needs require_certificate true"
                                    : "needs require_certificate true");
  }
  if (one.use_identity_as_username && one.use_subject_as_username) {
    add("use_subject_as_username", "excludes use_identity_as_username: choose one");
  }
  return faults;
}

}  // namespace

// clang-format off
const std::vector<OptionRow<ListenerConfig>>& listener_options() {
  static const std::vector<OptionRow<ListenerConfig>> rows = {
    option<&ListenerConfig::allow_anonymous>({.key = "listener_allow_anonymous", .type = boolean, .reloadable = true, .help = "Overrides allow_anonymous for this listener."}),
    option<&ListenerConfig::max_connections>({.key = "max_connections", .type = integer, .default_text = "-1", .min = -1, .max = 10'000'000, .help = "Connections of this listener; -1 for no limit."}),
    option<&ListenerConfig::max_qos>({.key = "max_qos", .type = integer, .default_text = "2", .max = 2, .help = "The highest QoS of what a client publishes or leaves as its will here, and of what it is sent; a client of MQTT 5 is told so. Above it the connection ends (0x9B); a SUBSCRIBE is granted this much."}),
    option<&ListenerConfig::max_qos>({.key = "maximum_qos", .type = integer, .default_text = "2", .max = 2, .help = "Another word for max_qos, as mosquitto has it."}),
    option<&ListenerConfig::clientid_from>({.key = "clientid_from", .type = word, .default_text = "none", .words = "none username cn", .reloadable = true, .help = "username: a client's id is its user name, whatever id it gives, and a client without a user name is refused. cn: the same with the common name of its certificate; needs require_certificate true."}),
    use_username_as_clientid({.key = "use_username_as_clientid", .type = boolean, .reloadable = true, .help = "mosquitto's word for clientid_from: true is username, false is none."}),
    option<&ListenerConfig::optional>({.key = "listener_optional", .type = boolean, .default_text = "false", .help = "Go on without this listener where the machine lacks its address."}),
    option<&ListenerConfig::socket_domain>({.key = "socket_domain", .type = word, .words = "ipv4 ipv6", .help = "Only addresses of this family; not set: both."}),
    option<&ListenerConfig::socket_mode>({.key = "socket_mode", .help = "Who may connect to the Unix socket of 'listener 0 PATH', as an octal mode; not set: 660, the broker's user and group."}),
    option<&ListenerConfig::certfile>({.key = "certfile", .reloadable = true, .help = "The certificate of this listener in PEM, its chain behind it; with keyfile it makes the listener TLS."}),
    option<&ListenerConfig::keyfile>({.key = "keyfile", .reloadable = true, .help = "The key of that certificate in PEM, without passphrase."}),
    option<&ListenerConfig::cafile>({.key = "cafile", .reloadable = true, .help = "Certificates of the authorities that sign clients' certificates, in PEM."}),
    option<&ListenerConfig::capath>({.key = "capath", .reloadable = true, .help = "A directory of such certificates, made by 'openssl rehash'."}),
    option<&ListenerConfig::require_certificate>({.key = "require_certificate", .type = boolean, .default_text = "false", .help = "Only clients with a valid certificate get in."}),
    option<&ListenerConfig::use_identity_as_username>({.key = "use_identity_as_username", .type = boolean, .default_text = "false", .help = "The certificate's common name is the user; no password is asked for. Needs require_certificate true."}),
    option<&ListenerConfig::use_subject_as_username>({.key = "use_subject_as_username", .type = boolean, .default_text = "false", .help = "The same with the whole subject, such as CN=car1,O=Fleet."}),
    option<&ListenerConfig::crlfile>({.key = "crlfile", .reloadable = true, .help = "Lists of revoked certificates in PEM; each authority needs one. A reload ends whose certificate has come into it."}),
    option<&ListenerConfig::tls_version>({.key = "tls_version", .type = word, .words = "tlsv1.2 tlsv1.3", .reloadable = true, .help = "The oldest version of TLS; not set: tlsv1.2."}),
    option<&ListenerConfig::ciphers>({.key = "ciphers", .reloadable = true, .help = "Ciphers of TLS 1.2, as 'openssl ciphers' takes them."}),
    option<&ListenerConfig::ciphersuites>({.key = "ciphers_tls1.3", .reloadable = true, .help = "Ciphers of TLS 1.3, as 'openssl ciphers -ciphersuites' takes them."}),
    option<&ListenerConfig::proxy_version>({.key = "enable_proxy_protocol", .type = integer, .default_text = "0", .max = 2, .help = "The version of the PROXY protocol that every connection begins with, 1 or 2; 0 for none. Only the load balancer must reach such a listener: who can, says who he is."}),
    option<&ListenerConfig::protocol>({.key = "protocol", .type = word, .default_text = "mqtt", .words = "mqtt websockets", .help = "What is spoken here; websockets is MQTT over WebSocket, with certfile and keyfile over TLS."}),
    option<&ListenerConfig::websockets_origin>({.key = "websockets_origin", .repeats = true, .help = "An origin such as https://fleet.example whose pages may connect; without any such line all may."}),
  };
  return rows;
}

const std::vector<OptionRow<ListenerConfig>>& own_options() {
  static const std::vector<OptionRow<ListenerConfig>> rows = with_access_options<ListenerConfig>({
    option<&ListenerConfig::allow_anonymous>({.key = "allow_anonymous", .type = boolean, .reloadable = true, .help = "Clients without a user name may connect here; not set: they may not."}),
    option<&ListenerConfig::password_file>({.key = "password_file", .reloadable = true, .help = "User names and hashed passwords of this listener."}),
    option<&ListenerConfig::acl_file>({.key = "acl_file", .reloadable = true, .help = "Who may read and write which topics, of those who come in here."}),
  });
  return rows;
}
// clang-format on

bool allows_anonymous(const Config& config, const ListenerConfig& one) {
  return one.allow_anonymous.value_or(!config.per_listener_settings && config.allow_anonymous);
}

const std::string& password_file_of(const Config& config, const ListenerConfig& one) {
  return config.per_listener_settings ? one.password_file : config.password_file;
}

const std::string& acl_file_of(const Config& config, const ListenerConfig& one) {
  return config.per_listener_settings ? one.acl_file : config.acl_file;
}

ListenerConfig default_listener() {
  ListenerConfig one;
  set_defaults(one, listener_options());
  set_defaults(one, own_options());
  return one;
}

void copy_tls(ListenerConfig& to, const ListenerConfig& from) {
  to.certfile = from.certfile;
  to.keyfile = from.keyfile;
  to.cafile = from.cafile;
  to.capath = from.capath;
  to.crlfile = from.crlfile;
  to.tls_version = from.tls_version;
  to.ciphers = from.ciphers;
  to.ciphersuites = from.ciphersuites;
}

const AccessConfig& access_of(const Config& config, const ListenerConfig& one) {
  if (config.per_listener_settings) return one;
  return config;
}

const KeyPlaces& places_of(const Config& config, const ListenerConfig& one) {
  return config.per_listener_settings ? one.places : config.places;
}

bool proves_users(const Config& config, const ListenerConfig& one) {
  return !password_file_of(config, one).empty() || access_of(config, one).takes_tokens() ||
         !access_of(config, one).auth_http_url.empty();
}

std::vector<ConfigFault> faults_of(const ListenerConfig& one) {
  std::vector<ConfigFault> faults;
  const auto add = [&](std::string_view key, std::string text) {
    faults.push_back({std::string{key}, std::move(text)});
  };
  if (one.is_unix && one.address.empty()) {
    add("listener", "'listener 0' needs the path of a Unix socket, such as /run/naru/mqtt.sock");
  }
  if (one.is_unix && one.address.size() > limits::unix_path_bytes) {
    add("listener", "the path of a Unix socket has at most 107 bytes: choose a shorter one");
  }
  if (one.is_unix && one.socket_domain) {
    add("socket_domain", "a Unix socket has no socket_domain: remove the line");
  }
  if (!one.socket_mode.empty()) {
    if (!one.is_unix) {
      add("socket_mode", "socket_mode is for 'listener 0 PATH' alone: remove the line");
    } else if (!parse_mode(one.socket_mode)) {
      add("socket_mode", "socket_mode must be an octal mode from 000 to 777, such as 660");
    }
  }
  if (!one.websockets_origin.empty() && one.protocol != ListenerProtocol::websockets) {
    add("websockets_origin", "websockets_origin needs 'protocol websockets' in the same listener");
  }
  for (const ConfigFault& fault : faults_of_tls(one)) faults.push_back(fault);
  for (const ConfigFault& fault : faults_of_access(one)) faults.push_back(fault);
  return faults;
}

std::string name_of(const ListenerConfig& listener) {
  std::string name =
      listener.is_unix || listener.port != 0 ? std::to_string(listener.port) : "auto";
  if (!listener.address.empty()) name.append(" ").append(listener.address);
  return name;
}

std::optional<unsigned> parse_mode(std::string_view text) {
  unsigned mode = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, mode, 8);
  if (failure != std::errc{} || stop != end || mode > 0777) return std::nullopt;
  return mode;
}

}  // namespace naru::broker

// The table of a listener's options, and what only several of them show to be wrong.

#include <charconv>

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

}  // namespace

// clang-format off
const std::vector<OptionRow<ListenerConfig>>& listener_options() {
  static const std::vector<OptionRow<ListenerConfig>> rows = {
    option<&ListenerConfig::allow_anonymous>({.key = "listener_allow_anonymous", .type = boolean, .reloadable = true, .help = "Overrides allow_anonymous for this listener."}),
    option<&ListenerConfig::max_connections>({.key = "max_connections", .type = integer, .default_text = "-1", .min = -1, .max = 10'000'000, .help = "Connections of this listener; -1 for no limit."}),
    option<&ListenerConfig::clientid_from>({.key = "clientid_from", .type = word, .default_text = "none", .words = "none username", .reloadable = true, .help = "username: a client's id is its user name, whatever id it gives, and a client without a user name is refused."}),
    use_username_as_clientid({.key = "use_username_as_clientid", .type = boolean, .reloadable = true, .help = "mosquitto's word for clientid_from: true is username, false is none."}),
    option<&ListenerConfig::optional>({.key = "listener_optional", .type = boolean, .default_text = "false", .help = "Go on without this listener where the machine lacks its address."}),
    option<&ListenerConfig::socket_domain>({.key = "socket_domain", .type = word, .words = "ipv4 ipv6", .help = "Only addresses of this family; not set: both."}),
    option<&ListenerConfig::socket_mode>({.key = "socket_mode", .help = "Who may connect to the Unix socket of 'listener 0 PATH', as an octal mode; not set: 660, the broker's user and group."}),
  };
  return rows;
}

const std::vector<OptionRow<ListenerConfig>>& own_options() {
  static const std::vector<OptionRow<ListenerConfig>> rows = {
    option<&ListenerConfig::allow_anonymous>({.key = "allow_anonymous", .type = boolean, .reloadable = true, .help = "Clients without a user name may connect here; not set: they may not."}),
    option<&ListenerConfig::password_file>({.key = "password_file", .reloadable = true, .help = "User names and hashed passwords of this listener."}),
    option<&ListenerConfig::acl_file>({.key = "acl_file", .reloadable = true, .help = "Who may read and write which topics, of those who come in here."}),
  };
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
  return faults;
}

std::string name_of(const ListenerConfig& listener) {
  std::string name =
      listener.is_unix || listener.port != 0 ? std::to_string(listener.port) : "auto";
  if (!listener.address.empty()) name.append(" ").append(listener.address);
  return name;
}

std::string place_text(const ListenerConfig& listener, std::string_view key) {
  const auto& places = listener.places.by_key;
  auto found = places.find(key);
  if (found == places.end()) found = places.find("listener");
  if (found == places.end()) return {};
  return found->second.file + ":" + std::to_string(found->second.line) + ": error: ";
}

std::optional<unsigned> parse_mode(std::string_view text) {
  unsigned mode = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, mode, 8);
  if (failure != std::errc{} || stop != end || mode > 0777) return std::nullopt;
  return mode;
}

}  // namespace naru::broker

// broker/app/listener_config.hpp
//
// ListenerConfig is one `listener` section of a configuration: where to listen and who may connect.
// Its table is in listener_options.cpp.
//
// Sans-IO. A value, part of Config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/app/access_config.hpp"
#include "storage/base/options.hpp"

namespace naru::broker {

// In the order of the words in the table.
enum class SocketDomain : std::uint8_t { ipv4, ipv6 };

enum class ClientIdFrom : std::uint8_t { none, username, cn };
enum class ListenerProtocol : std::uint8_t { mqtt, websockets };
enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

struct ListenerConfig : AccessConfig {  // Its own under per_listener_settings.
  std::uint16_t port = 1883;            // 0: the kernel chooses (`listener auto`).
  std::string address;                  // Empty: every address of the machine.
  bool is_unix = false;                 // `listener 0 PATH`: address is the path.
  bool optional = false;                // An address the machine lacks is no error.
  std::optional<bool> allow_anonymous;  // Set: overrides Config::allow_anonymous.
  std::int64_t max_connections = -1;    // -1: as many as the system allows.
  std::uint8_t max_qos = 2;             // Of what a client publishes, and is granted.
  std::optional<SocketDomain> socket_domain;
  std::string socket_mode;  // Of a Unix socket, in octal digits; empty: 660.
  ClientIdFrom clientid_from = ClientIdFrom::none;
  // The same.
  std::string password_file, acl_file;
  std::string certfile, keyfile;  // Both or neither; both: TLS.
  std::string cafile, capath, crlfile;
  std::optional<TlsVersion> tls_version;  // The least; not set: 1.2.
  std::string ciphers, ciphersuites;
  bool require_certificate = false;
  bool use_identity_as_username = false, use_subject_as_username = false;

  std::uint8_t proxy_version = 0;  // Of the PROXY protocol; 0: not spoken.
  ListenerProtocol protocol = ListenerProtocol::mqtt;
  std::vector<std::string> websockets_origin;

  KeyPlaces places;

  bool operator==(const ListenerConfig&) const = default;
};

const std::vector<OptionRow<ListenerConfig>>& listener_options();
// Global keys that are a listener's own under per_listener_settings.
const std::vector<OptionRow<ListenerConfig>>& own_options();
ListenerConfig default_listener();
// Copies what makes its TLS context: files, versions, ciphers.
void copy_tls(ListenerConfig& to, const ListenerConfig& from);
// What stands behind the word `listener`.
std::string name_of(const ListenerConfig& listener);
std::optional<unsigned> parse_mode(std::string_view text);

}  // namespace naru::broker

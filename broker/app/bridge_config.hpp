// broker/app/bridge_config.hpp
//
// BridgeConfig is one `connection` section of a configuration: the broker it leads to, and what
// crosses. Its table is in bridge_options.cpp.
//
// Sans-IO. A value, part of Config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/app/listener_config.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

// In the order of the words in the table.
enum class BridgeStart : std::uint8_t { automatic, once, lazy };
enum class BridgeProtocol : std::uint8_t { any, v3_1, v3_1_1, v5 };

struct BridgeConfig {
  std::string name;
  std::vector<std::string> addresses;  // HOST[:PORT] each, several in a line.
  std::vector<std::string> topics;     // As TopicRule::parse() has them.
  bool round_robin = false;
  std::string remote_clientid, remote_username, remote_password;
  std::string local_clientid, local_username;
  bool cleansession = false;
  std::optional<bool> local_cleansession;  // Not set: as cleansession.
  std::uint16_t keepalive_interval = 0;
  std::string restart_timeout;  // SECONDS, or BASE CAP.
  BridgeStart start_type = BridgeStart::automatic;
  bool notifications = true;
  bool notifications_local_only = false;
  std::string notification_topic;
  bool try_private = true;
  BridgeProtocol protocol = BridgeProtocol::any;
  bool outgoing_retain = true;
  bool attempt_unsubscribe = true;
  std::uint32_t max_packet_size = 0;
  std::string bind_address;

  std::string cafile, capath, certfile, keyfile, alpn;
  bool use_os_certs = false;
  bool insecure = false;
  std::optional<TlsVersion> tls_version;
  std::string ciphers, ciphersuites;

  KeyPlaces places;

  bool operator==(const BridgeConfig&) const = default;
};

struct RestartTimes {
  Seconds base{5}, most{30};
};

const std::vector<OptionRow<BridgeConfig>>& bridge_options();
std::vector<ConfigFault> faults_of(const BridgeConfig& bridge);  // `at`: or "connection".
// Two with one session here; `at` is the second, as "connection NAME".
std::vector<ConfigFault> faults_between(const std::vector<BridgeConfig>& bridges);
std::string fault_of_bridge_text(std::string_view key, std::string_view text);
// Nothing where the text is no restart_timeout.
std::optional<RestartTimes> parse_restart(std::string_view text);
struct HostPort {
  std::string host;
  std::uint16_t port = 1883;
};
// The hosts of one address line; nothing where one of them is none.
std::optional<std::vector<HostPort>> parse_hosts(std::string_view text);

}  // namespace naru::broker

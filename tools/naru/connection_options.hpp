// tools/naru/connection_options.hpp
//
// ConnectionOptions are the arguments that every command speaking MQTT shares.
//
// Sans-IO. Lives on the one thread of naru; a value.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/result.hpp"
#include "tools/naru/mqtt_client_core.hpp"
#include "tools/naru/server_address.hpp"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace naru::tools {

struct ConnectionOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string client_id;
  std::string user;
  std::string password;
  std::string version = "5";
  std::uint16_t keep_alive_s = 60;
  bool tls = false;
  TlsClient::Options tls_files;

  bool is_before_v5() const { return version.find('3') != std::string::npos; }
};

// Of an option in seconds: takes durations as well.
inline constexpr std::uint64_t most_seconds = 0xffff'ffff;
CLI::Validator seconds_between(std::uint64_t least, std::uint64_t most);

// -h is the host there, as in mosquitto_pub; help is --help alone. Before other options.
void leave_h_to_host(CLI::App& command);
// -h, -p, and how to speak TLS with it.
void add_server_options(CLI::App& command, ConnectionOptions& options);
// The above, and who we are: -i, -u, -P, -V, -k.
void add_connection_options(CLI::App& command, ConnectionOptions& options);

// Resolves the host, and reads the files of TLS.
Result<ServerAddress> server_of(const ConnectionOptions& options);
// invalid when the version is none, or when there is a password without a user.
Result<ClientSettings> client_settings(const ConnectionOptions& options);

}  // namespace naru::tools

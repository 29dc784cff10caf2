// tools/naru/connection_options.cpp
#include "tools/naru/connection_options.hpp"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include "tools/naru/argument_checks.hpp"

namespace naru::tools {

CLI::Validator seconds_between(std::uint64_t least, std::uint64_t most) {
  return CLI::Validator{[=](std::string& text) { return to_seconds(text, least, most); }, ""};
}

void leave_h_to_host(CLI::App& command) {
  command.set_help_flag("--help", "Show this help and end");
}

void add_server_options(CLI::App& command, ConnectionOptions& options) {
  command.add_option("-h,--host", options.host, "The broker's host")->capture_default_str();
  command.add_option("-p,--port", options.port, "The broker's MQTT port")
      ->check(CLI::Range(1, 65'535))
      ->capture_default_str();
  command.add_flag("--tls", options.tls, "Speak TLS; the next four imply it");
  command.add_option("--cafile", options.tls_files.cafile, "Trust these authorities, in PEM")
      ->type_name("FILE");
  command.add_option("--cert", options.tls_files.certfile, "Our certificate, in PEM")
      ->type_name("FILE");
  command.add_option("--key", options.tls_files.keyfile, "Its key, in PEM")->type_name("FILE");
  command.add_flag("--insecure", options.tls_files.insecure,
                   "Believe whoever answers: only for tests");
}

Result<ServerAddress> server_of(const ConnectionOptions& options) {
  auto server = resolve(options.host, options.port);
  if (!server) return server;
  const TlsClient::Options& files = options.tls_files;
  const bool implied = !files.cafile.empty() || !files.certfile.empty() || !files.keyfile.empty();
  if (!options.tls && !implied && !files.insecure) return server;
  auto tls = TlsClient::make(files, options.host);
  if (!tls) return tls.error();
  server->tls = std::move(*tls);
  return server;
}

void add_connection_options(CLI::App& command, ConnectionOptions& options) {
  add_server_options(command, options);
  command
      .add_option("-i,--id", options.client_id, "The client id (by default the broker gives one)")
      ->type_name("CLIENT_ID");
  command.add_option("-u,--user", options.user, "The user's name");
  command.add_option("-P,--password", options.password, "The user's password");
  command.add_option("-V,--protocol", options.version, "The version of MQTT: 5, 3.1.1 or 3.1")
      ->check(CLI::IsMember({"5", "5.0", "mqttv5", "3.1.1", "311", "mqttv311", "3.1", "mqttv31"}))
      ->type_name("VERSION")
      ->capture_default_str();
  command.add_option("-k,--keepalive", options.keep_alive_s, "Keep-alive in seconds, 0 for none")
      ->type_name("SECONDS")
      ->transform(seconds_between(0, 65'535))
      ->capture_default_str();
}

Result<ClientSettings> client_settings(const ConnectionOptions& options) {
  ClientSettings settings;
  settings.client_id = options.client_id;
  settings.keep_alive_s = options.keep_alive_s;
  const std::string& version = options.version;
  if (version == "3.1" || version == "mqttv31") {
    settings.version = mqtt::Version::v3_1;
  } else if (version == "3.1.1" || version == "311" || version == "mqttv311") {
    settings.version = mqtt::Version::v3_1_1;
  }
  // MQTT 3.1 does not let the broker choose.
  if (settings.version == mqtt::Version::v3_1 && settings.client_id.empty()) {
    settings.client_id = "naru-" + std::to_string(getpid());
  }
  if (!options.user.empty()) settings.user = options.user;
  if (!options.password.empty()) {
    if (options.user.empty()) {
      return Error{Errc::invalid, "a password (-P) needs a user (-u)"};
    }
    settings.password = options.password;
  }
  return settings;
}

}  // namespace naru::tools

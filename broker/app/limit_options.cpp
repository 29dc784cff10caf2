// The table of LimitConfig's options.

#include "broker/app/access_options.hpp"
#include "broker/app/config.hpp"

namespace naru::broker {

using enum OptionType;

ClientLimits client_limits(const LimitConfig& config) {
  ClientLimits limits;
  limits.connect_timeout = config.connect_timeout;
  return limits;
}

// clang-format off
std::vector<OptionRow<Config>> with_limit_options(std::vector<OptionRow<Config>> rows) {
  using L = LimitConfig;
  std::vector<OptionRow<Config>> more = {
    access_option<&L::max_connections, Config>({.key = "global_max_connections", .type = integer, .default_text = "-1", .min = -1, .max = 10'000'000, .help = "Connections of all listeners together; -1 for no limit."}),
    access_option<&L::connections_per_address, Config>({.key = "max_connections_per_address", .type = integer, .default_text = "0", .max = 10'000'000, .reloadable = true, .help = "Connections from one address (IPv6: from one /64); 0 for no limit."}),
    access_option<&L::connection_rate, Config>({.key = "max_connection_rate", .type = integer, .default_text = "0", .max = 1'000'000, .unit = "connections a second", .reloadable = true, .help = "New connections a second; 0 for no limit."}),
    access_option<&L::connection_rate_per_address, Config>({.key = "max_connection_rate_per_address", .type = integer, .default_text = "0", .max = 1'000'000, .unit = "connections a second", .reloadable = true, .help = "The same from one address (IPv6: from one /64); 0 for no limit."}),
    access_option<&L::connect_timeout, Config>({.key = "connect_timeout", .type = duration, .default_text = "10s", .min = 100, .max = 600'000, .reloadable = true, .help = "How long a connection may take from its first moment to CONNACK, TLS, WebSocket and PROXY included."}),
  };
  for (OptionRow<Config>& row : more) rows.push_back(std::move(row));
  return rows;
}
// clang-format on

}  // namespace naru::broker

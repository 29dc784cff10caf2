// The table of LimitConfig's options.

#include "broker/app/access_options.hpp"
#include "broker/app/config.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {

using enum OptionType;

ClientLimits client_limits(const LimitConfig& config) {
  ClientLimits limits;
  limits.connect_timeout = config.connect_timeout;
  limits.subscriptions = config.client_subscriptions;
  limits.filter_levels = config.filter_levels;
  limits.publish_rate = config.client_publish_rate;
  limits.byte_rate = config.client_byte_rate;
  limits.ends_fast_clients = config.on_client_rate == OnClientRate::disconnect;
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
    access_option<&L::client_subscriptions, Config>({.key = "max_client_subscriptions", .type = integer, .default_text = "10000", .min = 1, .max = limits::filters_per_session, .reloadable = true, .help = "Filters one client may have; further ones are refused with 0x97. What it has stays."}),
    access_option<&L::filter_levels, Config>({.key = "max_filter_levels", .type = integer, .default_text = "128", .min = 1, .max = limits::filter_levels, .reloadable = true, .help = "Levels a filter may have; a deeper one is refused with 0x8F."}),
    access_option<&L::client_publish_rate, Config>({.key = "max_client_publish_rate", .type = integer, .default_text = "0", .max = 1'000'000'000, .unit = "publishes a second", .reloadable = true, .help = "How fast one client may publish; a second's worth may come at once. 0 for no limit."}),
    access_option<&L::client_byte_rate, Config>({.key = "max_client_byte_rate", .type = bytes, .default_text = "0", .max = 4'000'000'000, .unit = "a second", .reloadable = true, .help = "How many bytes of MQTT one client may send, in the same way."}),
    access_option<&L::on_client_rate, Config>({.key = "on_client_rate", .type = word, .default_text = "wait", .words = "wait disconnect", .reloadable = true, .help = "Whoever is faster is not read from until the rate allows it, and loses nothing; or is disconnected, with 0x96 in MQTT 5."}),
    access_option<&L::memory_limit, Config>({.key = "memory_limit", .type = bytes, .default_text = "0", .max = 1LL << 50, .help = "Memory of the process above which new work is refused until there is room: connections with 0x89, durable messages and sessions with 0x97, and who sends much is read slowly. 0: nine tenths of what the control group or the machine has."}),
  };
  for (OptionRow<Config>& row : more) rows.push_back(std::move(row));
  return rows;
}
// clang-format on

}  // namespace naru::broker

// broker/app/config.hpp
//
// Config is what the operator decided: the values of a mosquitto.conf and of our own options, with
// every default filled in. The tables behind it (config.cpp) say all there is to know of a key;
// reading files is broker/app/config_file.hpp.
//
// Sans-IO. A value, made before the first shard starts and copied at a reload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/app/bridge_config.hpp"
#include "broker/app/limit_config.hpp"
#include "broker/app/listener_config.hpp"
#include "storage/base/clock.hpp"
#include "storage/base/log.hpp"
#include "storage/base/options.hpp"
#include "storage/kv/kv_store.hpp"

namespace naru::broker {

enum class QueueDrop : std::uint8_t { newest, oldest };
enum class FrontHop : std::uint8_t { direct, encode };
enum class OnCorrupt : std::uint8_t { refuse, start_empty };
enum class DowntimeCounts : std::uint8_t { automatic, always, never };
// In the order of the words in the table, which are mosquitto's.
enum class LogType : std::uint8_t {
  none,
  error,
  warning,
  notice,
  information,
  debug,
  subscribe,
  unsubscribe,
  websockets,
  internal,
  all
};

struct RuleConfig {
  std::string name;
  std::vector<std::string> from;  // Filters; at least one.
  std::string to;                 // The name of a stream.
  std::string key;                // A template such as ${topic[1]}.

  bool operator==(const RuleConfig&) const = default;
};

struct StreamConfig {
  std::string name;
  Millis retention{0};
  std::uint64_t keys_max = 0;

  bool operator==(const StreamConfig&) const = default;
};

struct Config : AccessConfig, LimitConfig {
  std::vector<ListenerConfig> listeners;
  bool per_listener_settings = false;  // own_options() are each listener's own.
  bool allow_anonymous = false;
  std::string password_file;
  std::string acl_file;           // Empty: everything is allowed.
  std::string clientid_prefixes;  // Every client id begins with it.

  std::string persistence_location;  // The data directory.
  storage::Durability durability = storage::Durability::synced;
  Millis commit_interval{0};
  OnCorrupt store_on_corrupt = OnCorrupt::refuse;
  DowntimeCounts downtime_counts = DowntimeCounts::automatic;
  std::uint64_t write_buffer = 0;
  std::uint8_t stream_disk_percent = 0;  // Above it that much is refused.
  std::uint8_t session_disk_percent = 0;
  std::uint8_t ledger_disk_percent = 0;

  std::uint16_t max_inflight_messages = 0;  // 0: as many as the client takes.
  std::uint64_t max_queued_messages = 0;    // Per client; 0: no limit, and so the next two.
  std::uint64_t max_queued_bytes = 0, max_delayed_messages = 0;
  QueueDrop queue_drop = QueueDrop::newest;  // Which message goes at such a limit.
  std::uint16_t max_keepalive = 0;           // In seconds; 0: the client's.
  std::uint16_t max_topic_alias = 0;         // Of one connection, to us; then from us.
  std::uint16_t max_topic_alias_broker = 0;
  std::uint32_t max_packet_size = 0;        // Never 0 once checked.
  std::uint32_t message_size_limit = 0;     // Of a payload; 0: only max_packet_size.
  Seconds persistent_client_expiration{0};  // 0: never.
  bool retain_available = true;

  std::string command_prefix;
  std::string response_information;  // Empty: none.
  std::uint16_t sys_interval = 0;    // In seconds; 0: no $SYS topics.
  std::string api_socket;            // Never empty once checked.
  std::string pid_file, port_file;
  std::uint32_t shards = 0;  // 0: one per processor.
  FrontHop front_hop = FrontHop::direct;

  std::vector<std::string> log_dest;
  std::vector<LogType> log_type;

  std::vector<RuleConfig> rules;
  std::vector<StreamConfig> streams;
  std::vector<BridgeConfig> bridges;
  KeyPlaces places;  // Of global keys.
  bool operator==(const Config&) const = default;
};

bool allows_anonymous(const Config& config, const ListenerConfig& listener);
const std::string& password_file_of(const Config& config, const ListenerConfig& listener);
const std::string& acl_file_of(const Config& config, const ListenerConfig& listener);
const AccessConfig& access_of(const Config& config, const ListenerConfig& listener);
const KeyPlaces& places_of(const Config& config, const ListenerConfig& listener);  // Of those.
// Whether anybody with a name can come in there.
bool proves_users(const Config& config, const ListenerConfig& listener);
// Where and how much to log, from log_dest and log_type.
LogOptions log_options(const Config& config);
// The effective configuration as a file that reads back as the same Config.
std::string dump(const Config& config);
// Every option with its bounds, default and help, in Markdown.
std::string reference_page();

void set_data_directory(Config& config, const std::string& path);  // api_socket follows if not set.
// Fills what follows from other values, and finds what only several values show to be wrong.
std::vector<ConfigFault> complete(Config& config);
// The same of one listener; `at` is one of its keys, or "listener".
std::vector<ConfigFault> faults_of(const ListenerConfig& listener);
// What is wrong with a text for this key: filters, templates and the like. Empty: nothing.
std::string fault_of_text(std::string_view key, std::string_view text);
bool is_config_name(std::string_view text);
std::optional<std::uint16_t> parse_port(std::string_view word);

// What parsing walks (broker/app/config_file.cpp).
const std::vector<OptionRow<Config>>& global_options();
const std::vector<OptionRow<RuleConfig>>& rule_options();
const std::vector<OptionRow<StreamConfig>>& stream_options();

// A key of mosquitto's, or of our own later releases, that this release does not act upon.
struct ForeignKey {
  bool protective = false;      // True: ignoring it would open or change something.
  std::string_view section;     // Empty: global.
  std::string_view only_value;  // The value that says what we do anyhow; empty: none.
  std::string_view remedy;
};
std::optional<ForeignKey> find_foreign_key(std::string_view key);
bool is_accepted(const ForeignKey& foreign, std::string_view value);
// Every key somebody may have meant, ours and foreign.
std::vector<std::string_view> known_keys();

}  // namespace naru::broker

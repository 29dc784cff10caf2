// broker/app/config.cpp: the tables of all options, ours and those of mosquitto that we know of,
// and what only walks them.

#include "broker/app/config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "broker/app/access_options.hpp"
#include "broker/mqtt/topics.hpp"
#include "broker/stream/rule.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {
namespace {

using enum OptionType;

constexpr std::int64_t day_millis = 24 * 3600 * 1000LL;
constexpr std::int64_t year_millis = 365 * day_millis;
constexpr std::int64_t gib = 1LL << 30;

// clang-format off
struct ForeignKeys {
  std::string_view keys;  // Separated by spaces; one that ends in * stands for all that begin so.
  ForeignKey what;
};
constexpr bool protective = true, harmless = false;
constexpr std::string_view listener = "listener", bridge = "connection", rule = "rule", stream = "stream";
constexpr std::string_view no_psk = "keys shared with clients are not supported: give them certificates, and the listener certfile and keyfile";
constexpr std::string_view no_engine = "the key must be a file in PEM without passphrase: remove the line";
constexpr std::string_view no_plugin = "plugins are not supported: remove the line, and write what the plugin decided into password_file and acl_file";
constexpr std::string_view no_effect = "it has no effect here and may be removed";
constexpr std::string_view no_bridge_psk = "keys shared with the remote broker are not supported: use certificates, with bridge_cafile, bridge_certfile and bridge_keyfile";
constexpr std::string_view no_lazy = "it is for start_type lazy, which is not supported: remove the line";
constexpr std::string_view no_interface = "write its address instead: 'listener PORT ADDRESS'";
constexpr std::string_view journal_keeps = "sessions and messages are always on disk at once, so it has no effect and may be removed";

constexpr ForeignKeys foreign_keys[] = {
  {"plugin plugin_load plugin_use global_plugin auth_plugin", {protective, {}, {}, no_plugin}},
  {"plugin_opt_* auth_opt_* auth_plugin_deny_special_chars", {protective, {}, {}, no_plugin}},
  {"psk_file psk_hint", {protective, {}, {}, no_psk}},
  {"persistence retained_persistence", {protective, {}, "true", "keeping sessions only in memory is not supported yet: remove the line, or write true"}},
  {"allow_zero_length_clientid", {protective, {}, "true", "clients without an id always get one: remove the line"}},
  {"queue_qos0_messages upgrade_outgoing_qos", {protective, {}, "false", "this is not supported: remove the line"}},
  {"check_retain_source", {protective, {}, "true", "this cannot be switched off: remove the line"}},
  {"retain_expiry_interval", {protective, {}, {}, "retained messages expire only by their own message expiry: remove the line"}},
  {"global_max_clients", {protective, {}, "-1", "limit connections with global_max_connections instead"}},
  {"max_inflight_bytes", {protective, {}, "0", "limit the number with max_inflight_messages instead"}},
  {"enable_control_api", {protective, {}, "false", "the API is at api_socket: remove the line"}},
  {"allow_duplicate_messages auto_id_prefix connection_messages set_tcp_nodelay", {harmless, {}, {}, no_effect}},
  {"log_facility log_timestamp log_timestamp_format retry_interval", {harmless, {}, {}, no_effect}},
  {"store_clean_interval websockets_log_level", {harmless, {}, {}, no_effect}},
  {"autosave_interval autosave_on_changes persistence_file", {harmless, {}, {}, journal_keeps}},
  {"user", {harmless, {}, {}, "the broker stays the user it was started as: choose it in the systemd unit"}},

  {"tls_engine tls_engine_kpass_sha1 tls_keyform", {protective, listener, {}, no_engine}},
  {"dhparamfile", {harmless, listener, {}, no_effect}},
  {"disable_client_cert_date_checks proxy_protocol_v2_require_tls", {protective, listener, "false", "this is not supported: remove the line"}},
  {"http_dir", {protective, listener, {}, "files are not served: let a web server do it, and remove the line"}},
  {"websockets_headers_size packet_buffer_size", {harmless, listener, {}, no_effect}},
  {"bind_interface", {protective, listener, {}, no_interface}},
  {"mount_point", {protective, listener, {}, "topics cannot be prefixed yet: remove this listener"}},
  {"accept_protocol_versions", {protective, listener, "3,4,5", "all versions are accepted: remove the line only if that is wanted"}},
  {"listener_auto_id_prefix mptcp", {harmless, listener, {}, no_effect}},

  {"bridge_psk bridge_identity", {protective, bridge, {}, no_bridge_psk}},
  {"bridge_require_ocsp", {protective, bridge, "false", "stapled answers about revocation are not checked: remove the line only if that is wanted"}},
  {"idle_timeout threshold", {harmless, bridge, {}, no_lazy}},
  {"local_password", {harmless, bridge, {}, "a bridge needs no password here: remove the line"}},
  {"bridge_bind_interface bridge_tcp_keepalive bridge_tcp_user_timeout bridge_max_topic_alias", {harmless, bridge, {}, no_effect}},
  {"bridge_receive_maximum bridge_session_expiry_interval bridge_reload_type", {harmless, bridge, {}, no_effect}},

  {"retention_bytes", {protective, stream, "0", "streams are not limited by bytes yet: remove the line, and limit them with retention and stream_disk_percent"}},
  {"select split header", {protective, rule, {}, "a rule takes whole messages yet: remove the line only if that is wanted"}},
};
// clang-format on

// -- Faults of texts, by key: a sentence, or nothing where the text is fine.
// -----------------------

std::string fault_of_filter(std::string_view filter) {
  if (!mqtt::valid_filter(filter)) return "this is no filter of MQTT";
  return mqtt::is_shared(filter) ? "a rule cannot be a member of a shared subscription" : "";
}

bool is_template_field(std::string_view field) {
  constexpr std::string_view topic = "topic[";
  if (!field.starts_with(topic)) return is_config_name(field);
  if (!field.ends_with("]")) return false;
  const auto level = parse_port(field.substr(topic.size(), field.size() - topic.size() - 1));
  return level && *level < limits::topic_levels;
}

std::string fault_of_template(std::string_view text) {
  while (true) {
    const auto open = text.find("${");
    if (open == std::string_view::npos) return {};
    const auto close = text.find('}', open);
    if (close == std::string_view::npos) return "a '${' has no '}'";
    const std::string_view field = text.substr(open + 2, close - open - 2);
    if (!is_template_field(field)) {
      return "'${" + std::string{field} +
             "}' is none of ${client_id}, ${topic[N]}, ${field} and ${field.sub}";
    }
    text.remove_prefix(close + 1);
  }
}

std::string fault_of_prefix(std::string_view prefix) {
  const bool odd = prefix.find_first_of("+#$") != std::string_view::npos ||
                   prefix.starts_with('/') || prefix.ends_with('/');
  return odd ? "it must be topic levels without '+', '#', '$' and '/' at the ends" : "";
}

std::string fault_of_log_dest(std::string_view dest) {
  static constexpr std::array<std::string_view, 5> plain = {"stderr", "stdout", "syslog", "topic",
                                                            "none"};
  const std::string_view word = dest.substr(0, dest.find(' '));
  if (std::find(plain.begin(), plain.end(), word) != plain.end()) return {};
  if (dest.starts_with("file ") && !trim(dest.substr(5)).empty()) return {};
  return "expected stderr, 'file PATH' or none";
}

bool stands_for(std::string_view pattern, std::string_view key) {
  if (!pattern.ends_with('*')) return pattern == key;
  return key.starts_with(pattern.substr(0, pattern.size() - 1));
}

template <class Visit>
void each_word(std::string_view words, Visit&& visit) {
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    visit(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

template <class Rows>
void append_table(std::string& page, std::string_view title, const Rows& rows) {
  page.append("\n## ").append(title).append("\n\n");
  page.append("| Key | Value | Default | At reload | Meaning |\n|---|---|---|---|---|\n");
  for (const auto& row : rows) page.append(describe_option(row.spec));
}

void append_foreign_table(std::string& page) {
  page.append("\n## Keys of mosquitto without an option here\n\n");
  page.append("| Keys | What happens | Why, and what to do |\n|---|---|---|\n");
  for (const auto& row : foreign_keys) {
    page.append("| `").append(row.keys).append("` | ");
    page.append(row.what.protective ? "start refused" : "ignored with a notice");
    if (!row.what.only_value.empty()) {
      page.append(", unless `").append(row.what.only_value).append("`");
    }
    page.append(" | ").append(row.what.remedy).append(" |\n");
  }
}

}  // namespace

// clang-format off
const std::vector<OptionRow<Config>>& global_options() {
  static const std::vector<OptionRow<Config>> rows = with_limit_options(with_access_options<Config>({
    option<&Config::per_listener_settings>({.key = "per_listener_settings", .type = boolean, .default_text = "false", .reloadable = true, .help = "allow_anonymous, password_file and acl_file are each listener's own and stand below its 'listener' line. Must stand before them."}),
    option<&Config::allow_anonymous>({.key = "allow_anonymous", .type = boolean, .default_text = "false", .reloadable = true, .help = "Clients without a user name may connect. Without any listener line the default is true, and only this machine can connect."}),
    option<&Config::password_file>({.key = "password_file", .reloadable = true, .help = "User names and hashed passwords, as mosquitto_passwd writes them."}),
    option<&Config::acl_file>({.key = "acl_file", .reloadable = true, .help = "Who may read and write which topics, as mosquitto has it; not set: everybody everything."}),
    option<&Config::clientid_prefixes>({.key = "clientid_prefixes", .reloadable = true, .help = "Only clients whose id begins with this text may connect."}),
    option<&Config::persistence_location>({.key = "persistence_location", .default_text = "./var", .help = "The data directory."}),
    option<&Config::durability>({.key = "durability", .type = word, .default_text = "synced", .words = "written synced", .help = "What an acknowledgement means: synced survives power loss, written only a crash of the broker."}),
    option<&Config::commit_interval>({.key = "commit_interval", .type = duration, .default_text = "2ms", .max = 1000, .help = "How long commits are gathered under load; idle, nothing waits."}),
    option<&Config::store_on_corrupt>({.key = "store_on_corrupt", .type = word, .default_text = "refuse", .words = "refuse start_empty", .help = "A damaged store: do not start, or put it aside under a dated name and start empty."}),
    option<&Config::downtime_counts>({.key = "downtime_counts", .type = word, .default_text = "auto", .words = "auto always never", .help = "Whether expiry goes on while the broker is down; auto: if the system clock is synchronised."}),
    option<&Config::write_buffer>({.key = "write_buffer", .type = bytes, .default_text = "0", .min = 0, .max = 16 * gib, .help = "Memory for what the store has not yet written to its tables; 0: a sixteenth of the free disk, 2 to 64 MB."}),
    option<&Config::stream_disk_percent>({.key = "stream_disk_percent", .type = integer, .default_text = "80", .min = 1, .max = 99, .unit = "percent", .help = "Disk use above which streams take nothing more."}),
    option<&Config::session_disk_percent>({.key = "session_disk_percent", .type = integer, .default_text = "90", .min = 1, .max = 99, .unit = "percent", .help = "The same for queued and retained messages."}),
    option<&Config::ledger_disk_percent>({.key = "ledger_disk_percent", .type = integer, .default_text = "95", .min = 1, .max = 99, .unit = "percent", .help = "The same for commands."}),
    option<&Config::max_inflight_messages>({.key = "max_inflight_messages", .type = integer, .default_text = "0", .max = limits::queued_packet_ids, .reloadable = true, .help = "QoS 1 and 2 messages on their way to one client at a time; 0 for as many as it takes. mosquitto's default is 20."}),
    option<&Config::max_queued_messages>({.key = "max_queued_messages", .type = integer, .default_text = "0", .max = 1'000'000'000, .reloadable = true, .help = "Messages waiting for one client; 0 for no limit but the disk. mosquitto's default is 1000."}),
    option<&Config::max_queued_bytes>({.key = "max_queued_bytes", .type = bytes, .default_text = "0", .max = 1024 * gib, .reloadable = true, .help = "Bytes waiting for one client; 0 for no limit but the disk."}),
    option<&Config::queue_drop>({.key = "queue_drop", .type = word, .default_text = "newest", .words = "newest oldest", .reloadable = true, .help = "Which message is dropped, and counted, at one of these two limits."}),
    option<&Config::max_delayed_messages>({.key = "max_delayed_messages", .type = integer, .default_text = "100000", .max = 1'000'000'000, .reloadable = true, .help = "Delayed publishes ($delayed/SECONDS/TOPIC) of one client that may wait for their time; 0 for no limit but the disk. Further ones are refused with 0x97."}),
    option<&Config::max_keepalive>({.key = "max_keepalive", .type = integer, .default_text = "0", .max = 65'535, .unit = "seconds", .reloadable = true, .help = "The longest keep-alive a client may have; 0 for any."}),
    option<&Config::max_topic_alias>({.key = "max_topic_alias", .type = integer, .default_text = "10", .max = 65'535, .help = "Topics a client of MQTT 5 may send by a short number; 0 for none."}),
    option<&Config::max_topic_alias_broker>({.key = "max_topic_alias_broker", .type = integer, .default_text = "10", .max = 65'535, .help = "Topics the broker sends by a short number to a client that takes that; 0 for none."}),
    option<&Config::max_packet_size>({.key = "max_packet_size", .type = bytes, .default_text = "2M", .max = limits::packet_bytes, .help = "The largest packet a client may send, at least 20 bytes; 0 for the most MQTT allows."}),
    option<&Config::message_size_limit>({.key = "message_size_limit", .type = bytes, .default_text = "0", .max = limits::packet_bytes, .reloadable = true, .help = "The largest payload that a client may publish or leave as its will; 0 for no limit but max_packet_size."}),
    option<&Config::persistent_client_expiration>({.key = "persistent_client_expiration", .type = lifetime, .default_text = "0", .max = 100 * year_millis, .reloadable = true, .help = "A session whose client stays away that long is removed; 0 for never."}),
    option<&Config::retain_available>({.key = "retain_available", .type = boolean, .default_text = "true", .help = "Whether clients may publish retained messages."}),
    option<&Config::command_prefix>({.key = "command_prefix", .default_text = "vehicles", .help = "Commands for device D go to PREFIX/D/commands/ID."}),
    option<&Config::response_information>({.key = "response_information", .help = "What a client of MQTT 5 that asks for response information is told, for instance replies/%c, where %c is its client id; not set: nothing. Its acl_file has to allow what it says."}),
    option<&Config::sys_interval>({.key = "sys_interval", .type = integer, .default_text = "10", .max = 65'535, .unit = "seconds", .help = "How often the $SYS topics are brought up to date; 0 for no such topics."}),
    option<&Config::api_socket>({.key = "api_socket", .help = "The Unix socket of the API; not set: naru.sock in the data directory."}),
    option<&Config::pid_file>({.key = "pid_file", .help = "Where the process id stands while narud runs, from when its listeners are open."}),
    option<&Config::port_file>({.key = "port_file", .help = "Where to write the ports that listeners got, once they are open."}),
    option<&Config::shards>({.key = "shards", .type = integer, .default_text = "0", .max = limits::shards, .unit = "threads", .help = "Threads that serve connections; 0 for one per processor."}),
    option<&Config::front_hop>({.key = "front_hop", .type = word, .default_text = "direct", .words = "direct encode", .help = "For tests: encode serialises what connections and lanes exchange, as between two nodes."}),
    option<&Config::log_dest>({.key = "log_dest", .default_text = "stderr", .reloadable = true, .repeats = true, .help = "stderr, file PATH or none; stdout, syslog and topic are taken as stderr."}),
    option<&Config::log_type>({.key = "log_type", .type = word, .default_text = "information", .words = "none error warning notice information debug subscribe unsubscribe websockets internal all", .reloadable = true, .repeats = true, .help = "The least severe kind of event that is logged; of several lines the one with the most."}),
  }));
  return rows;
}

const std::vector<OptionRow<RuleConfig>>& rule_options() {
  static const std::vector<OptionRow<RuleConfig>> rows = {
    option<&RuleConfig::from>({.key = "from", .repeats = true, .help = "A filter; messages whose topic matches are taken."}),
    option<&RuleConfig::to>({.key = "to", .help = "The stream that gets them."}),
    option<&RuleConfig::key>({.key = "key", .default_text = "${client_id}", .help = "What orders them: text with ${client_id}, ${topic[N]} (level N, from 0) and ${field} or ${field.sub} of a JSON payload."}),
  };
  return rows;
}

const std::vector<OptionRow<StreamConfig>>& stream_options() {
  static const std::vector<OptionRow<StreamConfig>> rows = {
    option<&StreamConfig::retention>({.key = "retention", .type = duration, .default_text = "48h", .min = 1000, .max = 100 * year_millis, .help = "How long a record is kept."}),
    option<&StreamConfig::keys_max>({.key = "keys_max", .type = integer, .default_text = "1000000", .min = 1, .max = 1'000'000'000, .unit = "keys", .help = "Different keys; records with further ones go to the dead letters."}),
  };
  return rows;
}
// clang-format on

bool is_config_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

std::optional<std::uint16_t> parse_port(std::string_view word) {
  std::uint16_t port = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, failure] = std::from_chars(word.data(), end, port);
  if (failure != std::errc{} || stop != end) return std::nullopt;
  return port;
}

std::string fault_of_text(std::string_view key, std::string_view text) {
  if (key == "from") return fault_of_filter(text);
  if (key == "key") return fault_of_template(text);
  if (key == "command_prefix") return fault_of_prefix(text);
  if (key == "log_dest") return fault_of_log_dest(text);
  return fault_of_bridge_text(key, text);
}

namespace {

// Rules need it; without a section of its own it is a stream like others, with their limits.
void add_dead_letters(Config& config) {
  auto& streams = config.streams;
  const auto is_there = std::ranges::find(streams, dead_letter_stream, &StreamConfig::name);
  if (config.rules.empty() || is_there != streams.end()) return;
  StreamConfig& one = streams.emplace_back();
  set_defaults(one, stream_options());
  one.name = dead_letter_stream;
}

}  // namespace

void set_data_directory(Config& config, const std::string& path) {
  config.persistence_location = path;
  if (config.places.by_key.contains("api_socket")) return;
  config.api_socket = path + (path.ends_with('/') ? "naru.sock" : "/naru.sock");
}

std::vector<ConfigFault> complete(Config& config) {
  std::vector<ConfigFault> faults;
  const auto add = [&](std::string at, std::string text) {
    faults.push_back({std::move(at), std::move(text)});
  };
  for (const auto& row : global_options()) {
    if (!row.spec.repeats || !row.get(config).empty()) continue;
    row.set(config, *parse_option(row.spec, row.spec.default_text));
  }
  if (config.max_packet_size == 0) config.max_packet_size = limits::packet_bytes;
  if (config.max_packet_size < limits::packet_bytes_least) {
    add("max_packet_size", "max_packet_size must be 0 or at least 20 bytes");
  }
  if (config.stream_disk_percent > config.session_disk_percent ||
      config.session_disk_percent > config.ledger_disk_percent) {
    add("stream_disk_percent",
        "stream_disk_percent, session_disk_percent and ledger_disk_percent must not fall");
  }
  set_data_directory(config, config.persistence_location);
  if (config.api_socket.size() > limits::unix_path_bytes) {
    add("api_socket", "the API's socket " + config.api_socket +
                          " has a path of more than 107 bytes: set api_socket to a shorter one");
  }
  for (ConfigFault& fault : faults_of_access(config)) faults.push_back(std::move(fault));
  for (ConfigFault& fault : faults_between(config.bridges)) faults.push_back(std::move(fault));
  add_dead_letters(config);
  if (config.rules.size() > limits::rules) add("", "there are too many rules");
  if (config.streams.size() > limits::streams) add("", "there are too many streams");
  for (const RuleConfig& one : config.rules) {
    const std::string title = "rule " + one.name;
    const auto is_target = [&](const StreamConfig& stream) { return stream.name == one.to; };
    if (one.from.empty()) add(title, title + " has no 'from FILTER'");
    if (one.to.empty()) {
      add(title, title + " has no 'to STREAM'");
    } else if (std::none_of(config.streams.begin(), config.streams.end(), is_target)) {
      add(title,
          title + " goes to '" + one.to + "', which is no stream: add 'stream " + one.to + "'");
    }
  }
  return faults;
}

std::string dump(const Config& config) {
  std::string out;
  std::vector<OptionRow<Config>> rows = global_options();
  const bool own = config.per_listener_settings;
  if (own) {
    std::erase_if(rows, [](const auto& row) { return find_option(own_options(), row.spec.key); });
  }
  dump_options(out, config, rows);
  for (const auto& one : config.listeners) {
    out.append("\nlistener ").append(name_of(one)).append("\n");
    dump_options(out, one, listener_options());
    if (own) dump_options(out, one, own_options());
  }
  for (const auto& stream : config.streams) {
    out.append("\nstream ").append(stream.name).append("\n");
    dump_options(out, stream, stream_options());
  }
  for (const auto& one : config.bridges) {
    out.append("\nconnection ").append(one.name).append("\n");
    dump_options(out, one, bridge_options());
  }
  for (const auto& one : config.rules) {
    out.append("\nrule ").append(one.name).append("\n");
    dump_options(out, one, rule_options());
  }
  return out;
}

std::string reference_page() {
  std::string page =
      "# Configuration\n\nA file of lines `key value` in mosquitto.conf's syntax, given as "
      "`narud -c FILE`. A line that begins with `#` is a comment. `listener`, `stream`, `rule` "
      "and `connection` open a section, which ends where the next begins; a key that the section "
      "does not have is "
      "global. `include_dir DIRECTORY` reads its `*.conf` files in order of their names, "
      "upper and lower case alike.\n\n"
      "`naru config check FILE` names all that is wrong, `naru config dump FILE` prints what is in "
      "force with every default, `naru config reload` lets the running broker read its file again: "
      "what is marked \"At reload\" follows then, the rest with a restart. This page is `naru "
      "config reference`.\n";
  append_table(page, "Global", global_options());
  append_table(page, "listener PORT [ADDRESS]", listener_options());
  append_table(page, "listener PORT [ADDRESS], under per_listener_settings", own_options());
  append_table(page, "stream NAME", stream_options());
  append_table(page, "rule NAME", rule_options());
  append_table(page, "connection NAME", bridge_options());
  append_foreign_table(page);
  return page;
}

std::optional<ForeignKey> find_foreign_key(std::string_view key) {
  for (const auto& row : foreign_keys) {
    bool found = false;
    each_word(row.keys, [&](std::string_view pattern) { found |= stands_for(pattern, key); });
    if (found) return row.what;
  }
  return std::nullopt;
}

bool is_accepted(const ForeignKey& foreign, std::string_view value) {
  const std::string_view only = foreign.only_value;
  std::string bare{value};
  std::erase(bare, ' ');
  const std::string_view all = trim(value);
  const std::string_view word = all.substr(0, all.find(' '));
  const bool alias = (only == "true" && word == "1") || (only == "false" && word == "0");
  return !only.empty() && (word == only || bare == only || alias);
}

std::vector<std::string_view> known_keys() {
  // Opened by the reader of files itself, not by a row.
  std::vector<std::string_view> keys = {"listener", "connection",   "rule",
                                        "stream",   "sink",         "cluster",
                                        "port",     "bind_address", "include_dir"};
  for (const auto& row : global_options()) keys.push_back(row.spec.key);
  for (const auto& row : listener_options()) keys.push_back(row.spec.key);
  for (const auto& row : rule_options()) keys.push_back(row.spec.key);
  for (const auto& row : stream_options()) keys.push_back(row.spec.key);
  for (const auto& row : bridge_options()) keys.push_back(row.spec.key);
  for (const auto& row : foreign_keys) {
    each_word(row.keys, [&](std::string_view key) {
      if (!key.ends_with('*')) keys.push_back(key);
    });
  }
  return keys;
}

}  // namespace naru::broker

// broker/app/config_file.cpp: lines, sections, includes and the checks that need several values.

#include "broker/app/config_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "broker/app/config_notices.hpp"
#include "storage/base/limits.hpp"

namespace naru::broker {
namespace {

using Kind = Problem::Kind;

using Place = SourceLine;

enum class Section : std::uint8_t {
  none,  // Before the first section of a file.
  listener,
  rule,
  stream,
  bridge,
  refused,  // One we know but do not have: its keys say nothing.
};

constexpr std::pair<std::string_view, std::string_view> refused_sections[] = {
    {"sink", "sinks are not supported yet: remove the section and read the stream by the API"},
    {"cluster", "clusters are not supported yet: remove the section to run one node"},
};

struct OpenSection {
  Section kind = Section::none;
  std::size_t index = 0;              // In the list of its kind.
  std::map<std::string, Place> seen;  // Its keys that were set, and where.
};

struct Line {
  Place place;
  std::string_view key;
  std::string_view value;  // Behind the key, with its blanks.
};

std::string in_quotes(std::string_view text) { return "'" + std::string{text} + "'"; }

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

std::string at(const Place& place) {
  return "line " + std::to_string(place.line) + " of " + place.file;
}

std::string fault_of_line(std::string_view key, std::string_view value) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_control = [](char c) { return c >= 0 && c < ' ' && c != '\t'; };
  if (key.starts_with('#')) return "a comment must start in the first column";
  if (key.find('\t') != key.npos) return "there is a tab before or behind the key: use a space";
  if (std::any_of(key.begin(), key.end(), is_upper)) {
    return "unknown key " + in_quotes(key) + ": keys are in lower case";
  }
  if (std::any_of(value.begin(), value.end(), is_control)) return "there is a control character";
  return {};
}

class ConfigReader {
 public:
  explicit ConfigReader(const ReadDirectory& read) : read_(read) {
    set_defaults(outcome_.config, global_options());
  }

  void read(const SourceFile& file);
  ConfigOutcome finish() &&;

 private:
  void on_line(const Line& line);
  bool open_section(const Line& line);
  void open_listener(const Line& line);
  bool open_refused(const Line& line);
  template <class Named, class Rows>
  void open_named(const Line& line, Section section, std::vector<Named>& list, const Rows& rows);
  bool on_old_listener_key(const Line& line);
  void on_include(const Line& line);
  bool set_in_section(const Line& line);
  bool set_in_listener(const Line& line, ListenerConfig& one, std::map<std::string, Place>& seen);
  void on_foreign(const Line& line, const ForeignKey& foreign);
  void on_unknown(const Line& line);
  template <class Target, class Rows>
  bool set(const Line& line, Target& target, const Rows& rows, std::map<std::string, Place>& seen);

  void finish_listeners();
  void error(const Place& place, std::string text) {
    outcome_.problems.push_back({Kind::error, place.file, place.line, std::move(text)});
  }
  void notice(const Place& place, std::string text) {
    outcome_.problems.push_back({Kind::notice, place.file, place.line, std::move(text)});
  }
  Place place_of(const std::string& title) const;

  const ReadDirectory& read_;
  ConfigOutcome outcome_;
  Config& config() { return outcome_.config; }
  Place file_;
  OpenSection section_;
  unsigned depth_ = 0;
  ListenerConfig default_listener_ = default_listener();
  std::map<std::string, Place> seen_;          // Global keys that were set, and where.
  std::map<std::string, Place> default_seen_;  // The same before the first section.
  std::map<std::string, Place> sections_;      // "rule NAME" and the like.
};

void ConfigReader::read(const SourceFile& file) {
  OpenSection outer = std::exchange(section_, {});
  ++depth_;
  std::string_view rest = file.text;
  for (unsigned number = 1; !rest.empty(); ++number) {
    std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    while (text.ends_with('\r')) text.remove_suffix(1);
    if (text.starts_with('#') || trim(text).empty()) continue;
    const std::string_view key = take_word(text);
    on_line({{file.name, number}, key, text});
  }
  --depth_;
  section_ = std::move(outer);
  if (depth_ == 0) file_ = {file.name, 0};
}

void ConfigReader::on_line(const Line& line) {
  const std::string fault = fault_of_line(line.key, line.value);
  if (!fault.empty()) return error(line.place, fault);
  if (open_section(line)) return;
  if (line.key == "include_dir") return on_include(line);
  if (set_in_section(line)) return;
  if (set(line, config(), global_options(), seen_)) {
    config().places.by_key[std::string{line.key}] = line.place;
    return;
  }
  const auto foreign = find_foreign_key(line.key);
  if (section_.kind == Section::refused && !(foreign && foreign->section.empty())) return;
  if (on_old_listener_key(line)) return;
  return foreign ? on_foreign(line, *foreign) : on_unknown(line);
}

bool ConfigReader::open_section(const Line& line) {
  if (line.key == "listener") {
    open_listener(line);
  } else if (line.key == "rule") {
    open_named(line, Section::rule, config().rules, rule_options());
  } else if (line.key == "stream") {
    open_named(line, Section::stream, config().streams, stream_options());
  } else if (line.key == "connection") {
    open_named(line, Section::bridge, config().bridges, bridge_options());
    config().bridges.back().places.by_key["connection"] = line.place;
  } else {
    return open_refused(line);
  }
  return true;
}

void ConfigReader::open_listener(const Line& line) {
  std::string_view rest = line.value;
  const std::string_view port_word = take_word(rest);
  const std::string_view address = take_word(rest);
  const auto port = port_word == "auto" ? std::optional<std::uint16_t>{0} : parse_port(port_word);
  section_ = {Section::listener, config().listeners.size(), {}};
  ListenerConfig& one = config().listeners.emplace_back(default_listener());
  if (!address.starts_with('#')) one.address = address;
  if (!port) {
    error(line.place, "the port of a listener cannot be " + in_quotes(port_word) +
                          "; expected 1 to 65535, auto for any free one, or 0 and a path");
  }
  one.port = port.value_or(0);
  one.is_unix = port_word == "0";
  one.places.by_key["listener"] = line.place;
  const auto [before, added] = sections_.emplace("listener " + name_of(one), line.place);
  if (!added && (one.port != 0 || one.is_unix)) {
    error(line.place, "there is such a listener already in " + at(before->second));
  }
}

bool ConfigReader::open_refused(const Line& line) {
  for (const auto& [key, remedy] : refused_sections) {
    if (line.key != key) continue;
    section_ = {Section::refused, 0, {}};
    error(line.place, std::string{remedy});
    return true;
  }
  return false;
}

template <class Named, class Rows>
void ConfigReader::open_named(const Line& line, Section section, std::vector<Named>& list,
                              const Rows& rows) {
  const std::string_view name = trim(line.value);
  section_ = {section, list.size(), {}};
  Named& one = list.emplace_back();
  set_defaults(one, rows);
  one.name = name;
  if (!is_config_name(name)) {
    return error(line.place, "this needs a name of letters, digits, '_', '-' and '.'");
  }
  const std::string title = std::string{line.key}.append(" ").append(name);
  const auto [before, added] = sections_.emplace(title, line.place);
  if (!added) {
    error(line.place, in_quotes(title) + " stands already in " + at(before->second));
  }
}

// mosquitto's older way to say where to listen.
bool ConfigReader::on_old_listener_key(const Line& line) {
  std::string_view rest = line.value;
  if (line.key == "port") {
    const auto port = parse_port(take_word(rest));
    if (!port || *port == 0) error(line.place, "port must be 1 to 65535");
    default_listener_.port = port.value_or(0);
  } else if (line.key == "bind_address") {
    default_listener_.address = trim(rest);
    if (default_listener_.address.empty()) error(line.place, "bind_address has no value");
  } else {
    return false;
  }
  default_seen_[std::string{line.key}] = line.place;
  default_listener_.places.by_key["listener"] = line.place;
  return true;
}

void ConfigReader::on_include(const Line& line) {
  if (depth_ > 1) {
    notice(line.place, "include_dir counts only in the main file; ignored, as in mosquitto");
    return;
  }
  const std::string directory{trim(line.value)};
  if (directory.empty()) return error(line.place, "include_dir has no value; expected a directory");
  const auto files = read_(directory);
  if (!files) return error(line.place, "include_dir: " + files.error().text);
  for (const SourceFile& file : *files) read(file);
}

template <class Target, class Rows>
bool ConfigReader::set(const Line& line, Target& target, const Rows& rows,
                       std::map<std::string, Place>& seen) {
  const auto* const row = find_option(rows, line.key);
  if (row == nullptr) return false;
  const auto value = parse_option(row->spec, line.value);
  if (!value) {
    error(line.place, value.error().text);
    return true;
  }
  const std::string key{line.key};
  const auto [before, first] = seen.emplace(key, line.place);
  if (!first && !row->spec.repeats && row->spec.type == OptionType::text) {
    error(line.place, key + " is already set in " + at(before->second));
    return true;
  }
  if (const auto* const text = std::get_if<std::string>(&*value)) {
    const std::string fault = fault_of_text(line.key, *text);
    if (!fault.empty()) error(line.place, key + " " + in_quotes(*text) + ": " + fault);
    if (line.key == "log_dest" && !goes_as_said(*text)) {
      notice(line.place, key + " " + in_quotes(*text) + " is not supported: it goes to stderr");
    }
  }
  before->second = line.place;
  row->set(target, *value);
  return true;
}

bool ConfigReader::set_in_listener(const Line& line, ListenerConfig& one,
                                   std::map<std::string, Place>& seen) {
  const bool own = config().per_listener_settings && set(line, one, own_options(), seen);
  if (!own && !set(line, one, listener_options(), seen)) return false;
  one.places.by_key[std::string{line.key}] = line.place;
  return true;
}

bool ConfigReader::set_in_section(const Line& line) {
  switch (section_.kind) {
    case Section::none: return set_in_listener(line, default_listener_, default_seen_);
    case Section::listener:
      return set_in_listener(line, config().listeners[section_.index], section_.seen);
    case Section::rule:
      return set(line, config().rules[section_.index], rule_options(), section_.seen);
    case Section::stream:
      return set(line, config().streams[section_.index], stream_options(), section_.seen);
    case Section::bridge:
      config().bridges[section_.index].places.by_key[std::string{line.key}] = line.place;
      return set(line, config().bridges[section_.index], bridge_options(), section_.seen);
    case Section::refused: return false;
  }
  return false;
}

void ConfigReader::on_foreign(const Line& line, const ForeignKey& foreign) {
  if (is_accepted(foreign, line.value)) return;
  if (foreign.protective) {
    std::string text = in_quotes(line.key) + " is not supported";
    if (!foreign.only_value.empty()) text += " but for '" + std::string{foreign.only_value} + "'";
    error(line.place, text + ": " + std::string{foreign.remedy});
  } else {
    notice(line.place, in_quotes(line.key) + " is ignored: " + std::string{foreign.remedy});
  }
}

void ConfigReader::on_unknown(const Line& line) {
  std::string_view home;
  if (find_option(listener_options(), line.key) != nullptr) home = "listener PORT";
  if (find_option(rule_options(), line.key) != nullptr) home = "rule NAME";
  if (find_option(stream_options(), line.key) != nullptr) home = "stream NAME";
  if (find_option(bridge_options(), line.key) != nullptr) home = "connection NAME";
  if (!home.empty()) {
    return error(line.place, in_quotes(line.key) + " belongs below a line " + in_quotes(home));
  }
  std::string text = "unknown key " + in_quotes(line.key);
  const std::string_view near = find_nearest(line.key, known_keys());
  if (!near.empty()) text += "; did you mean " + in_quotes(near) + "?";
  error(line.place, text);
}

// The place of a global key or of a section's opening line.
Place ConfigReader::place_of(const std::string& title) const {
  if (const auto key = seen_.find(title); key != seen_.end()) return key->second;
  const auto section = sections_.find(title);
  return section == sections_.end() ? file_ : section->second;
}

void ConfigReader::finish_listeners() {
  auto& listeners = config().listeners;
  for (const auto& [key, place] : seen_) {
    if (!config().per_listener_settings || find_option(own_options(), key) == nullptr) continue;
    error(place, "with per_listener_settings " + in_quotes(key) +
                     " belongs below a line 'listener PORT', and per_listener_settings in front "
                     "of all of them");
  }
  const bool placed = default_seen_.contains("port") || default_seen_.contains("bind_address");
  if (!listeners.empty() && !placed && !default_seen_.empty()) {
    const auto& [key, place] = *default_seen_.begin();
    error(place, in_quotes(key) +
                     " stands before the first listener and would mean none of those "
                     "below: move it behind its 'listener' line");
  }
  if (placed) listeners.insert(listeners.begin(), default_listener_);
  if (!listeners.empty()) {
    for (Problem& each : notices_of_listeners(config(), file_.file)) {
      outcome_.problems.push_back(std::move(each));
    }
    return;
  }
  // Nothing says where to listen: as with mosquitto only for this machine, and then for everyone.
  if (config().per_listener_settings && !default_listener_.allow_anonymous) {
    default_listener_.allow_anonymous = true;
  }
  if (!seen_.contains("allow_anonymous")) config().allow_anonymous = true;
  listeners.assign(2, default_listener_);
  listeners[0].address = "127.0.0.1";
  listeners[1].address = "::1";
  listeners[1].optional = true;
}

ConfigOutcome ConfigReader::finish() && {
  finish_listeners();
  const auto add_faults = [this](const auto& one, const char* opening) {
    const auto& places = one.places.by_key;
    for (const ConfigFault& fault : faults_of(one)) {
      const auto found = places.find(places.contains(fault.at) ? fault.at : opening);
      error(found == places.end() ? file_ : found->second, fault.text);
    }
  };
  for (const ListenerConfig& one : config().listeners) add_faults(one, "listener");
  for (const BridgeConfig& one : config().bridges) add_faults(one, "connection");
  for (const ConfigFault& fault : complete(config())) error(place_of(fault.at), fault.text);
  return std::move(outcome_);
}

}  // namespace

ConfigOutcome parse_config(const SourceFile& file, const ReadDirectory& read) {
  ConfigReader reader{read};
  reader.read(file);
  return std::move(reader).finish();
}

}  // namespace naru::broker

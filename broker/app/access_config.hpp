// broker/app/access_config.hpp
//
// AccessConfig is what decides beside password_file and acl_file who may come in and do what: the
// keys of tokens, a service of the operator. Its options stand in the global section, or in each
// listener's under per_listener_settings. KeyPlaces says where keys stand.
//
// Sans-IO. A value, part of Config and of ListenerConfig.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.hpp"

namespace naru::broker {

struct SourceLine {
  std::string file;
  unsigned line = 0;
};

// Where the keys of a section stand, for errors that show only when they are used; "listener" is
// the line that opens it.
struct KeyPlaces {
  std::map<std::string, SourceLine, std::less<>> by_key;

  bool operator==(const KeyPlaces&) const { return true; }  // Says nothing about what is meant.
};

// Of the key, else of the opening line; null where neither is known.
const SourceLine* find_place(const KeyPlaces& places, std::string_view key);
// "FILE:LINE: error: " of that place; empty where there is none.
std::string place_text(const KeyPlaces& places, std::string_view key);

struct AccessConfig {
  std::string jwt_secret_file, jwt_key_file;
  std::string jwt_issuer, jwt_audience, jwt_username_claim;

  std::string auth_http_url, acl_http_url;
  Millis auth_http_timeout{0}, auth_http_cache{0};

  bool takes_tokens() const { return !jwt_secret_file.empty() || !jwt_key_file.empty(); }
  bool operator==(const AccessConfig&) const = default;
};

struct ConfigFault {
  std::string at;  // A key, or "rule NAME"; empty: the whole.
  std::string text;
};
std::vector<ConfigFault> faults_of_access(const AccessConfig& access);

}  // namespace naru::broker

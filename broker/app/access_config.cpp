#include "broker/app/access_config.hpp"

namespace naru::broker {

const SourceLine* find_place(const KeyPlaces& places, std::string_view key) {
  auto found = places.by_key.find(key);
  if (found == places.by_key.end()) found = places.by_key.find("listener");
  return found == places.by_key.end() ? nullptr : &found->second;
}

std::string place_text(const KeyPlaces& places, std::string_view key) {
  const SourceLine* const place = find_place(places, key);
  if (place == nullptr) return {};
  return place->file + ":" + std::to_string(place->line) + ": error: ";
}

std::vector<ConfigFault> faults_of_access(const AccessConfig& access) {
  std::vector<ConfigFault> faults;
  const std::pair<std::string_view, bool> only_with_keys[] = {
      {"jwt_issuer", !access.jwt_issuer.empty()},
      {"jwt_audience", !access.jwt_audience.empty()},
  };
  for (const auto& [key, set] : only_with_keys) {
    if (!set || access.takes_tokens()) continue;
    faults.push_back(
        {std::string{key},
         std::string{key} +
             " needs a jwt_key_file or jwt_secret_file: without one no token is taken"});
  }
  const std::pair<std::string_view, const std::string&> addresses[] = {
      {"auth_http_url", access.auth_http_url},
      {"acl_http_url", access.acl_http_url},
  };
  for (const auto& [key, url] : addresses) {
    if (url.empty() || url.starts_with("http://") || url.starts_with("https://")) continue;
    faults.push_back({std::string{key},
                      std::string{key} + " '" + url + "' must begin with http:// or https://"});
  }
  return faults;
}

}  // namespace naru::broker

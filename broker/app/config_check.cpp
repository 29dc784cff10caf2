#include "broker/app/config_check.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <utility>

#include "broker/app/bridges.hpp"
#include "broker/app/listeners.hpp"
#include "broker/app/node_gate.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

namespace {

bool is_open_to_all(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failure;
  const fs::file_status found = fs::status(path, failure);
  return !failure && fs::is_regular_file(found) &&
         (found.permissions() & fs::perms::others_read) != fs::perms::none;
}

class SecretFiles {
 public:
  void add(const KeyPlaces& places, std::string_view key, const std::string& path) {
    if (path.empty() || !is_open_to_all(path) || !seen_.insert(path).second) return;
    const auto at = places.by_key.find(key);
    const SourceLine place = at == places.by_key.end() ? SourceLine{} : at->second;
    notices_.push_back({Problem::Kind::notice, place.file, place.line,
                        std::string{key} + " " + path +
                            ": everybody on this machine may read it; chmod 640 it, and give it "
                            "the group that narud runs as"});
  }
  std::vector<Problem> take() { return std::move(notices_); }

 private:
  std::set<std::string> seen_;
  std::vector<Problem> notices_;
};

}  // namespace

std::vector<Problem> open_secrets(const Config& config) {
  SecretFiles secrets;
  for (const ListenerConfig& one : config.listeners) {
    const KeyPlaces& places = places_of(config, one);
    secrets.add(places, "password_file", password_file_of(config, one));
    secrets.add(places, "jwt_secret_file", access_of(config, one).jwt_secret_file);
    secrets.add(one.places, "keyfile", one.keyfile);
  }
  for (const BridgeConfig& one : config.bridges) {
    secrets.add(one.places, "bridge_keyfile", one.keyfile);
  }
  return secrets.take();
}

NamedFiles check_named_files(const Config& config) {
  NamedFiles found;
  std::vector<std::string>& faults = found.faults;
  const auto loaded = NodeGate{}.load(config);
  std::string text;
  if (!loaded) text = loaded.error().text;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    faults.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  TlsContexts made;
  for (std::string& fault : make_tls_contexts(config, made)) faults.push_back(std::move(fault));
  found.notices = tls_notices(config, made, SystemClock{}.wall());
  for (std::string& fault : faults_of_bridge_files(config)) faults.push_back(std::move(fault));
  if (!faults.empty()) return found;
  for (Problem& notice : open_secrets(config)) found.notices.push_back(std::move(notice));
  return found;
}

Problem problem_of(std::string_view fault) {
  constexpr std::string_view error = "error: ";
  const std::size_t at = fault.find(": ");
  const std::string_view place = fault.substr(0, at);
  const std::size_t colon = place.rfind(':');
  Problem whole{Problem::Kind::error, {}, 0, std::string{fault}};
  if (at == fault.npos || colon == fault.npos) return whole;
  Problem parted;
  const char* const end = place.data() + place.size();
  const auto read = std::from_chars(place.data() + colon + 1, end, parted.line);
  if (read.ec != std::errc{} || read.ptr != end) return whole;
  fault.remove_prefix(at + 2);
  if (fault.starts_with(error)) fault.remove_prefix(error.size());
  parted.file = place.substr(0, colon);
  parted.text = fault;
  return parted;
}

std::vector<Problem> check_config(const std::string& path) {
  ConfigOutcome outcome = load_config(path);
  if (!outcome.ok()) return std::move(outcome.problems);
  NamedFiles named = check_named_files(outcome.config);
  for (const std::string& fault : named.faults) {
    outcome.problems.push_back(problem_of(fault));
    if (outcome.problems.back().file.empty()) outcome.problems.back().file = path;
  }
  for (Problem& notice : named.notices) outcome.problems.push_back(std::move(notice));
  return std::move(outcome.problems);
}

}  // namespace naru::broker

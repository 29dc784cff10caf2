#include "broker/app/config_check.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "broker/app/bridges.hpp"
#include "broker/app/listeners.hpp"
#include "broker/app/node_gate.hpp"
#include "storage/base/clock.hpp"

namespace naru::broker {

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

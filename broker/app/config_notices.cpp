#include "broker/app/config_notices.hpp"

namespace naru::broker {
namespace {

using Kind = Problem::Kind;

// Whoever comes in there with a user name has shown that it is his.
bool proves_names(const Config& config, const ListenerConfig& one) {
  return one.use_identity_as_username || one.use_subject_as_username || proves_users(config, one);
}

SourceLine place_of(const ListenerConfig& one, const std::string& file) {
  const auto found = one.places.by_key.find("listener");
  return found == one.places.by_key.end() ? SourceLine{file, 0} : found->second;
}

std::string in_words(const ListenerConfig& one, const SourceLine& place) {
  const std::string name = "listener " + name_of(one);
  if (place.line == 0) return name;
  return name + " (" + place.file + ":" + std::to_string(place.line) + ")";
}

}  // namespace

std::vector<Problem> notices_of_listeners(const Config& config, const std::string& file) {
  std::vector<Problem> notices;
  bool open = false;
  const ListenerConfig* proving = nullptr;
  for (const ListenerConfig& one : config.listeners) {
    const bool proves = proves_names(config, one);
    open |= proves || allows_anonymous(config, one);
    if (proves && proving == nullptr) proving = &one;
  }
  if (!open) {
    notices.push_back({Kind::notice, file, 0,
                       "no client can connect: set a password_file, or allow_anonymous true"});
  }
  if (proving == nullptr) return notices;
  for (const ListenerConfig& one : config.listeners) {
    if (proves_names(config, one) || !allows_anonymous(config, one)) continue;
    const SourceLine at = place_of(one, file);
    notices.push_back(
        {Kind::notice, at.file, at.line,
         "listener " + name_of(one) + " takes any user name unproved, and " +
             in_words(*proving, place_of(*proving, file)) +
             " asks for a proof: a session made there can be taken here by anyone who gives its "
             "user's name; set a password_file here, too, or forbid anonymous clients here"});
  }
  return notices;
}

}  // namespace naru::broker

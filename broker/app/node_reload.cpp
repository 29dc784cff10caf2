// Node's part that takes over a changed configuration while it runs.

#include <algorithm>

#include "broker/app/config_check.hpp"
#include "broker/app/node.hpp"
#include "storage/base/log.hpp"

namespace naru::broker {

namespace {

// Takes over what may change while the node runs, and says what would take a restart.
template <class Target>
void take_over(Target& target, const Target& wanted, const std::vector<OptionRow<Target>>& rows,
               const std::string& at, std::vector<std::string>& notices) {
  for (const auto& row : rows) {
    const std::vector<OptionValue> value = row.get(wanted);
    if (value == row.get(target)) continue;
    if (!row.spec.reloadable) {
      notices.push_back(at + std::string{row.spec.key} + " has changed: restart narud for it");
    } else if (!value.empty()) {
      row.set(target, value.front());
    }
  }
}

// Sockets that speak plain MQTT do not begin to speak TLS while they are open, nor the other way.
void take_over_tls(ListenerConfig& target, const ListenerConfig& wanted, const std::string& name,
                   std::vector<std::string>& notices) {
  if (target.certfile.empty() == wanted.certfile.empty()) return copy_tls(target, wanted);
  notices.push_back(name + ": certfile turns TLS " + (target.certfile.empty() ? "on" : "off") +
                    ": restart narud for it");
}

// Listeners are known by port and address. Those that came or went take a restart.
void take_over_listeners(Config& target, const Config& wanted, std::vector<std::string>& notices) {
  std::vector<ListenerConfig> left = wanted.listeners;
  for (ListenerConfig& one : target.listeners) {
    const auto same = std::ranges::find_if(
        left, [&](const ListenerConfig& each) { return name_of(each) == name_of(one); });
    const std::string name = "listener " + name_of(one);
    if (same == left.end()) {
      notices.push_back(name + " is gone: restart narud to close it");
      continue;
    }
    const ListenerConfig before = one;
    take_over(one, *same, listener_options(), name + ": ", notices);
    copy_tls(one, before);  // All of it or nothing.
    take_over_tls(one, *same, name, notices);
    static_cast<AccessConfig&>(one) = *same;
    one.allow_anonymous = same->allow_anonymous;
    one.password_file = same->password_file;
    one.acl_file = same->acl_file;
    one.places = same->places;
    left.erase(same);
  }
  for (const ListenerConfig& each : left) {
    notices.push_back("listener " + name_of(each) + " is new: restart narud to open it");
  }
}

Config taken_over(const Config& in_force, const Config& wanted, std::vector<std::string>& notices) {
  Config next = in_force;
  take_over(next, wanted, global_options(), "", notices);
  // An empty text and a list are no single value.
  static_cast<AccessConfig&>(next) = wanted;
  next.places = wanted.places;
  next.password_file = wanted.password_file;
  next.acl_file = wanted.acl_file;
  next.clientid_prefixes = wanted.clientid_prefixes;
  next.log_dest = wanted.log_dest;
  next.log_type = wanted.log_type;
  take_over_listeners(next, wanted, notices);
  if (next.rules != wanted.rules) notices.push_back("rules have changed: restart narud for them");
  if (next.bridges != wanted.bridges) {
    notices.push_back("bridges have changed: restart narud for them");
  }
  if (next.streams != wanted.streams) {
    notices.push_back("streams have changed: restart narud for them");
  }
  return next;
}

void add_lines(std::vector<std::string>& lines, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

ReloadOutcome Node::read_again() {
  ReloadOutcome outcome;
  if (!reread_) return {true, {}};
  const ConfigOutcome read = reread_();
  for (const Problem& problem : read.problems) outcome.problems.push_back(to_string(problem));
  if (!read.ok()) return outcome;
  Config next = taken_over(in_force_, read.config, outcome.problems);
  TlsContexts contexts;
  if (!load_files(next, contexts, outcome.problems)) return outcome;
  for (const Problem& notice : tls_notices(next, contexts, wall())) {
    outcome.problems.push_back(to_string(notice));
  }
  for (const Problem& notice : open_secrets(next)) outcome.problems.push_back(to_string(notice));
  in_force_ = std::move(next);
  door_.set_limits(in_force_);
  access_caller_.forget();
  for (const OpenListener& each : listeners_) {
    each.listener->set_tls(contexts[each.listener->number]);
  }
  for (std::uint16_t shard = 0; shard < shards(); ++shard) {
    shards_[shard]->post(
        [settings = settings_of(in_force_, shard), edge = shards_[shard].get()](ShardCore& core) {
          core.reload(settings);
          edge->end_revoked();
        });
  }
  outcome.done = true;
  return outcome;
}

// All of the files a configuration names, or none of them.
bool Node::load_files(const Config& next, TlsContexts& contexts,
                      std::vector<std::string>& problems) {
  const auto opened = open_log(log_options(next));
  if (!opened) {
    problems.push_back(opened.error().text);
    return false;
  }
  const std::vector<std::string> faults = make_tls_contexts(next, contexts);
  problems.insert(problems.end(), faults.begin(), faults.end());
  // With a wrong certificate the other files are read only to say what is wrong with them.
  NodeGate aside;
  const auto gated = (faults.empty() ? gate_ : aside).load(next);
  if (!gated) add_lines(problems, gated.error().text);
  if (gated && faults.empty()) return true;
  const auto back = open_log(log_options(in_force_));
  if (!back) problems.push_back(back.error().text);
  return false;
}

ReloadOutcome Node::reload_now() {
  const std::lock_guard lock{reload_mutex_};
  reload_told_(true);
  const ReloadOutcome outcome = read_again();
  const Severity severity = outcome.done ? Severity::notice : Severity::error;
  for (const std::string& each : outcome.problems) {
    log(severity, "reload_problem", {{"text", each}});
  }
  log(severity, outcome.done ? "reloaded" : "reload_refused",
      {{"configuration", outcome.done ? "read again" : "stays as it was"}});
  reload_told_(false);
  return outcome;
}

}  // namespace naru::broker

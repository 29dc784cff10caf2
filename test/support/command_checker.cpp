// The checker of commands: what became of each, in the words of operator, ledger and device.

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "test/support/command_history.hpp"

namespace naru::test {

using broker::CommandState;

namespace {

constexpr StoreMillis time_to_deliver = 15'000;  // To a device that waits and meets no fault.
constexpr std::size_t shown_in_full = 5;

constexpr std::array event_names = {"asked",     "promised", "refused",  "cancel asked",
                                    "cancelled", "step",     "vanished", "left",
                                    "received",  "said",     "taken",    "waiting"};

struct Step {
  CommandState state;
  StoreMillis at;
};

// What is known of one command, record by record.
class Fate {
 public:
  // Empty, or what is wrong with this record.
  std::string on(const CommandRecord& record) {
    switch (record.event) {
      case CommandEvent::asked: ++asked_; return {};
      case CommandEvent::promised: promised_ = true; return {};
      case CommandEvent::refused: ++refused_; return {};
      case CommandEvent::cancel_asked: cancel_asked_ = true; return {};
      case CommandEvent::cancelled: cancelled_ = true; return {};
      case CommandEvent::step: return on_step(record);
      case CommandEvent::vanished: return on_vanished(record);
      case CommandEvent::left: return on_left(record);
      case CommandEvent::received: return on_received(record);
      case CommandEvent::said: said_.insert(record.state); return {};
      case CommandEvent::taken: taken_.push_back({record.state, record.at}); return {};
      case CommandEvent::waiting: waiting_ = record.at; return {};
    }
    return "a record of no kind";
  }

  // Empty, or what is wrong with how it ended.
  std::string at_end() const {
    if (promised_ && steps_.empty()) return "was promised and is not in the ledger";
    if (vanished_ || steps_.empty()) return {};
    const CommandState end = steps_.back().state;
    if (!broker::has_ended(end)) return "never ended";
    if (cancelled_ && end != CommandState::cancelled) return "is not cancelled though promised";
    for (const Step& word : taken_) {
      const bool stands = std::any_of(steps_.begin(), steps_.end(), [&](const Step& step) {
        return step.state >= word.state && step.at <= word.at;
      });
      if (!stands) return "is not what its device said and the broker acknowledged";
    }
    const bool waited = waiting_ && expires_at_ > *waiting_ + time_to_deliver &&
                        expires_at_ > steps_.front().at + time_to_deliver;
    if (waited && end == CommandState::expired && !received_) {
      return "expired while its device waited for it";
    }
    return {};
  }

 private:
  bool is_refused() const { return asked_ == refused_; }

  std::string on_step(const CommandRecord& record) {
    const CommandState state = record.state;
    const bool first = steps_.empty();
    if (first) expires_at_ = record.expires_at;
    const CommandState before = first ? CommandState::queued : steps_.back().state;
    steps_.push_back({state, record.at});
    if (first && state != CommandState::queued) return "did not begin as queued";
    if (first && is_refused()) return "was refused and is in the ledger";
    if (!first && (broker::has_ended(before) || state <= before)) return "went back";
    if (record.expires_at != expires_at_) return "is not the one that was there";
    if (state == CommandState::delivered && !received_) return "was delivered to nobody";
    if (broker::device_may_report(state) && said_.count(state) == 0) {
      return "is what its device never said";
    }
    if (state == CommandState::cancelled && !cancel_asked_) return "was cancelled by nobody";
    if (state == CommandState::expired && record.at < expires_at_) return "expired too early";
    return {};
  }

  std::string on_vanished(const CommandRecord& record) {
    vanished_ = true;
    const bool ended = !steps_.empty() && broker::has_ended(steps_.back().state);
    return ended && record.number >= broker::ended_kept ? "" : "is lost";
  }

  std::string on_left(const CommandRecord& record) {
    left_ = true;
    if (asked_ == 0 || is_refused()) return "left though nobody asked for it, or it was refused";
    if (cancelled_) return "left after it was cancelled";
    if (!steps_.empty() && record.at >= expires_at_) return "left after it had expired";
    // While the ledger does not show that its device has it, as with a full disk, it may come
    // again.
    const bool has_it = !steps_.empty() && steps_.back().state >= CommandState::delivered;
    if (!left_on_.insert(record.number).second && has_it) return "left twice on one connection";
    return {};
  }

  std::string on_received(const CommandRecord& record) {
    received_ = true;
    if (!left_) return "was received before it left";
    return record.number == 0 ? "" : "is not what was sent";
  }

  std::size_t asked_ = 0, refused_ = 0;
  bool promised_ = false, cancel_asked_ = false, cancelled_ = false;
  bool left_ = false, received_ = false, vanished_ = false;
  StoreMillis expires_at_ = 0;
  std::optional<StoreMillis> waiting_;
  std::vector<Step> steps_, taken_;
  std::set<CommandState> said_;
  std::set<std::uint64_t> left_on_;
};

}  // namespace

std::string line_of(const CommandRecord& record) {
  std::string line = std::to_string(record.at) + " command " + record.command + ' ';
  line += event_names[static_cast<std::size_t>(record.event)];
  const bool has_state = record.event == CommandEvent::step || record.event == CommandEvent::said ||
                         record.event == CommandEvent::taken;
  if (has_state) line.append(" ").append(broker::name(record.state));
  if (record.number != 0) line += " (" + std::to_string(record.number) + ')';
  if (record.expires_at != 0) line += " expires " + std::to_string(record.expires_at);
  return line;
}

Violations check_commands(const CommandHistory& history) {
  std::map<std::string, Fate> fates;
  std::map<std::string, std::string> wrong;  // The first of each command.
  for (const CommandRecord& record : history) {
    const std::string what = fates[record.command].on(record);
    if (!what.empty()) wrong.emplace(record.command, what);
  }
  for (const auto& [command, fate] : fates) {
    const std::string what = fate.at_end();
    if (!what.empty()) wrong.emplace(command, what);
  }
  Violations found;
  for (const auto& [command, what] : wrong) {
    if (found.size() == shown_in_full) break;
    std::string text = "command " + command + ' ' + what;
    for (const CommandRecord& record : history) {
      if (record.command == command) text += "\n    " + line_of(record);
    }
    found.push_back({"commands", text});
  }
  if (wrong.size() > shown_in_full) {
    found.push_back(
        {"commands", "and " + std::to_string(wrong.size() - shown_in_full) + " more like these"});
  }
  return found;
}

}  // namespace naru::test

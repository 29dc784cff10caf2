#include "broker/command/ledger.hpp"

#include <algorithm>
#include <array>

namespace naru::broker {

namespace {
constexpr std::array<std::string_view, 11> state_names = {
    "queued", "sent",     "delivered", "accepted",  "running",   "succeeded",
    "failed", "rejected", "expired",   "cancelled", "superseded"};
}  // namespace

std::string_view name(CommandState state) { return state_names[static_cast<std::size_t>(state)]; }

std::optional<CommandState> command_state(std::string_view name) {
  const auto found = std::ranges::find(state_names, name);
  if (found == state_names.end()) return std::nullopt;
  return static_cast<CommandState>(found - state_names.begin());
}

bool may_follow(CommandState from, CommandState to) { return !has_ended(from) && to > from; }

bool device_may_report(CommandState state) {
  return state >= CommandState::accepted && state <= CommandState::rejected;
}

void Ledger::count(const CommandRow& row, std::size_t by) {
  (has_ended(state_of(row)) ? ended_ : open_) += by;
}

void Ledger::put(const CommandRow& row) {
  if (row.steps.empty()) return;
  CommandRow& place = devices_[row.device][row.id];
  if (!place.steps.empty()) count(place, std::size_t(-1));
  place = row;
  count(place, 1);
}

void Ledger::erase(BytesView device, BytesView id) {
  const auto commands = devices_.find(device);
  if (commands == devices_.end()) return;
  const auto found = commands->second.find(id);
  if (found == commands->second.end()) return;
  count(found->second, std::size_t(-1));
  commands->second.erase(found);
  if (commands->second.empty()) devices_.erase(commands);
}

const CommandRow* Ledger::find(BytesView device, BytesView id) const {
  const auto commands = devices_.find(device);
  if (commands == devices_.end()) return nullptr;
  const auto found = commands->second.find(id);
  return found == commands->second.end() ? nullptr : &found->second;
}

std::vector<const CommandRow*> Ledger::of(BytesView device) const {
  std::vector<const CommandRow*> rows;
  const auto commands = devices_.find(device);
  if (commands == devices_.end()) return rows;
  for (const auto& [id, row] : commands->second) rows.push_back(&row);
  std::ranges::stable_sort(rows, {}, [](const CommandRow* row) { return row->created_at; });
  return rows;
}

const CommandRow* Ledger::surplus(BytesView device) const {
  const CommandRow* oldest = nullptr;
  std::size_t ended = 0;
  for (const CommandRow* row : of(device)) {
    if (!has_ended(state_of(*row))) continue;
    if (oldest == nullptr) oldest = row;
    ++ended;
  }
  return ended > ended_kept ? oldest : nullptr;
}

}  // namespace naru::broker

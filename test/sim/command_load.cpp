#include "test/sim/command_load.hpp"

#include <algorithm>
#include <array>

#include "cluster/lanes/lane_id.hpp"
#include "storage/base/crc32c.hpp"

namespace naru::test {

using broker::CommandState, broker::has_ended, broker::state_of, mqtt::Qos, mqtt::Version;

namespace {

constexpr std::array<std::uint64_t, 4> expiries_ms = {300, 3'000, 20'000, 40'000};
constexpr std::size_t read_again = 2;  // Commands that have ended, per step.

// clang-format off
constexpr std::array device_rows = {
  //            id           kept   version          takes                answers              at last
  DeviceManner{"prompt",     true,  Version::v3_1_1, Qos::at_least_once,  Qos::at_least_once,  CommandState::succeeded},
  DeviceManner{"passing",    false, Version::v5,     Qos::at_least_once,  Qos::at_least_once,  CommandState::succeeded},
  DeviceManner{"sleeper",    true,  Version::v5,     Qos::exactly_once,   Qos::exactly_once,   CommandState::succeeded, 0xffffffff, 20, true},
  DeviceManner{"old",        false, Version::v3_1_1, Qos::at_least_once,  Qos::exactly_once,   CommandState::succeeded},
  DeviceManner{"mute",       true,  Version::v5,     Qos::at_least_once,  Qos::at_least_once,  CommandState::queued},
  DeviceManner{"narrow",     false, Version::v5,     Qos::exactly_once,   Qos::at_least_once,  CommandState::failed, 0, 2},
  DeviceManner{"brief",      true,  Version::v5,     Qos::at_least_once,  Qos::at_least_once,  CommandState::succeeded, 3},
  DeviceManner{"forgetful",  true,  Version::v5,     Qos::at_least_once,  Qos::exactly_once,   CommandState::rejected, 0xffffffff, 20, true, 0.3},
};
// clang-format on

StoreMillis in_store_time(WallMillis wall) {
  return wall - (SimNode::wall_now(Instant{}) - SimNode::store_now(Instant{}));
}

const broker::CommandRow* row_of(SimNode& node, const std::string& device, const std::string& id) {
  const auto lane = cluster::lane_of(device);
  return node.home_of(lane).lane(lane).ledger().find(device, id);
}

// What the device has to get.
std::uint64_t sum_of(const broker::CommandRow& row) {
  const std::string body = R"({"id":")" + row.id + R"(","name":")" + row.name + R"(","payload":)" +
                           row.payload + R"(,"expires_at":)" + std::to_string(row.expires_wall) +
                           '}';
  return crc32c(body);
}

// How many commands of its device have ended, are as new as it or newer, and are there.
std::uint64_t newer_ended(SimNode& node, const std::string& device, WallMillis created_at) {
  const auto lane = cluster::lane_of(device);
  std::uint64_t count = 0;
  for (const broker::CommandRow* row : node.home_of(lane).lane(lane).ledger().of(device)) {
    if (row->created_at >= created_at && has_ended(state_of(*row))) ++count;
  }
  return count;
}

}  // namespace

CommandLoad::CommandLoad(double rate, SimDevice::Faults faults, Rng rng) : rate_(rate), rng_(rng) {
  for (const DeviceManner& manner : device_rows) {
    const auto number = static_cast<std::uint32_t>(devices_.size() + 1);
    devices_.push_back(
        std::make_unique<SimDevice>(manner, number, faults, seen_, history_, rng_.fork()));
  }
  waiting_.resize(devices_.size());
}

void CommandLoad::add(CommandEvent event, const Command& command, Instant now, CommandRecord more) {
  if (more.at == 0) more.at = SimNode::store_now(now);
  more.event = event;
  more.command = command.id;
  history_.push_back(std::move(more));
}

// ---- the operator ------------------------------------------------------------------------------

void CommandLoad::step(SimNode* node, Instant now) {
  if (node != nullptr && !calm_) operate(*node, now);
  for (auto& device : devices_) device->step(node, now);
}

void CommandLoad::operate(SimNode& node, Instant now) {
  if (rng_.chance(rate_)) {
    Command command;
    command.id = "c" + std::to_string(commands_.size() + 1);
    command.device = rng_.chance(0.2) ? 0 : rng_.below(devices_.size());
    commands_.push_back(std::move(command));
    send(node, commands_.size() - 1, now);
  }
  if (commands_.empty()) return;
  const std::size_t recent = std::min<std::size_t>(commands_.size(), 12);
  const std::size_t some = commands_.size() - 1 - rng_.below(recent);
  const bool wonders = commands_[some].open || !commands_[some].promised;
  if (rng_.chance(wonders ? 0.05 : 0.002)) send(node, some, now);
  if (rng_.chance(rate_ / 4)) cancel(node, some, now);
}

// As POST does it.
void CommandLoad::send(SimNode& node, std::size_t which, Instant now) {
  Command& command = commands_[which];
  if (command.gone) return;
  const std::string device = devices_[command.device]->id();
  broker::NewCommand wanted;
  wanted.device = device;
  wanted.id = command.id;
  wanted.name = "unlock";
  wanted.payload = R"({"door":)" + std::to_string(which) + '}';
  wanted.expires_at =
      SimNode::store_now(now) + 1 + rng_.below(expiries_ms[rng_.below(expiries_ms.size())]);
  wanted.expires_wall = SimNode::wall_now(Instant{}) - SimNode::store_now(Instant{}) +
                        static_cast<WallMillis>(wanted.expires_at);
  add(CommandEvent::asked, command, now);
  if (row_of(node, device, command.id) != nullptr) {
    command.promised = true;
    return add(CommandEvent::promised, command, now);
  }
  command.open = true;
  asked_[++requests_] = {which, false};
  node.home_of(cluster::lane_of(device)).submit(wanted, requests_);
}

// As DELETE does it.
void CommandLoad::cancel(SimNode& node, std::size_t which, Instant now) {
  const Command& command = commands_[which];
  const std::string device = devices_[command.device]->id();
  asked_[++requests_] = {which, true};
  add(CommandEvent::cancel_asked, command, now);
  broker::LaneShard& home = node.home_of(cluster::lane_of(device));
  if (!home.cancel(device, command.id, requests_)) asked_.erase(requests_);
}

void CommandLoad::read(SimNode& node, std::size_t which, Instant now) {
  Command& command = commands_[which];
  if (command.gone) return;
  SimDevice& device = *devices_[command.device];
  const broker::CommandRow* const row = row_of(node, device.id(), command.id);
  if (row == nullptr && command.steps.empty()) return;
  const auto same = [](const storage::CommandStep& a, const storage::CommandStep& b) {
    return a.state == b.state && a.at == b.at;
  };
  const bool kept =
      row != nullptr && row->steps.size() >= command.steps.size() &&
      std::equal(command.steps.begin(), command.steps.end(), row->steps.begin(), same);
  if (!kept) {
    CommandRecord vanished;
    if (row == nullptr) {
      vanished.number = newer_ended(node, device.id(), command.steps.front().at);
    }
    command.gone = true;
    return add(CommandEvent::vanished, command, now, vanished);
  }
  for (std::size_t i = command.steps.size(); i < row->steps.size(); ++i) {
    CommandRecord step;
    step.at = in_store_time(row->steps[i].at);
    step.state = row->steps[i].state;
    step.expires_at = row->expires_at;
    add(CommandEvent::step, command, now, step);
  }
  command.steps = row->steps;
  device.sums()[command.id] = sum_of(*row);
  if (!command.open || command.promised) return;
  // An answer that came sooner than the command itself: the interface waits for it.
  const bool asks = std::any_of(asked_.begin(), asked_.end(), [&](const auto& each) {
    return each.second.command == which && !each.second.cancels;
  });
  if (asks) return;
  command.open = false;
  command.promised = true;
  add(CommandEvent::promised, command, now);
}

void CommandLoad::hear(SimNode& node, Instant now) {
  for (auto& device : devices_) device->take_output(node, now);
  for (const broker::Answered& answer : node.take_answered()) {
    const auto found = asked_.find(answer.request);
    if (found == asked_.end()) continue;
    const Asked asked = found->second;
    asked_.erase(found);
    Command& command = commands_[asked.command];
    if (asked.cancels && !answer.failed) add(CommandEvent::cancelled, command, now);
    if (!asked.cancels && answer.failed) add(CommandEvent::refused, command, now);
  }
  while (first_open_ < commands_.size() && !commands_[first_open_].steps.empty() &&
         has_ended(commands_[first_open_].steps.back().state)) {
    ++first_open_;
  }
  for (std::size_t i = first_open_; i < commands_.size(); ++i) read(node, i, now);
  for (std::size_t i = 0; i < read_again && first_open_ > 0; ++i) {
    read(node, rng_.below(first_open_), now);
  }
}

void CommandLoad::on_broker_dead(Instant now) {
  for (auto& device : devices_) device->on_broker_dead(now);
  asked_.clear();
}

// ---- the end -----------------------------------------------------------------------------------

void CommandLoad::calm() {
  calm_ = true;
  for (auto& device : devices_) device->calm();
}

std::string CommandLoad::unsettled() const {
  std::string who;
  for (const auto& device : devices_) {
    if (!device->is_settled()) who += " device " + device->id();
  }
  for (const Command& command : commands_) {
    const bool ended =
        command.gone || command.steps.empty() || has_ended(command.steps.back().state);
    if (!ended) who += " command " + command.id;
  }
  return who;
}

void CommandLoad::note_waiting(Instant now) {
  for (const Command& command : commands_) {
    if (!waiting_[command.device] && devices_[command.device]->is_ready()) {
      add(CommandEvent::waiting, command, now);
    }
  }
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    waiting_[i] = waiting_[i] || devices_[i]->is_ready();
  }
}

void CommandLoad::read_all(SimNode& node, Instant now) {
  for (std::size_t i = 0; i < commands_.size(); ++i) read(node, i, now);
}

std::size_t CommandLoad::succeeded() const {
  return static_cast<std::size_t>(
      std::count_if(commands_.begin(), commands_.end(), [](const Command& command) {
        return !command.steps.empty() && command.steps.back().state == CommandState::succeeded;
      }));
}

}  // namespace naru::test

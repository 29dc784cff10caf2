// broker/command/ledger.hpp
//
// Ledger holds the commands of the devices of one lane: which are open, which have ended, and
// what may follow what. It knows nothing of queues and connections.
//
// Sans-IO. Lives on the lane's shard; not thread-safe. Owned by LaneState, by value.
// Bounded by: ended_kept ended commands a device; open ones by expiry, which every command has.
//
//   queued -> sent -> delivered -> accepted -> running -> succeeded | failed | rejected
//   any open state -> expired | cancelled | superseded
#pragma once

#include <map>
#include <vector>

#include "broker/routing/filter_index.hpp"
#include "storage/tables/records.hpp"

namespace naru::broker {

inline constexpr std::size_t ended_kept = 50;

using storage::CommandRow;
using storage::CommandState;

std::string_view name(CommandState state);
// Nothing when there is no state of that name.
std::optional<CommandState> command_state(std::string_view name);

inline bool has_ended(CommandState state) { return state >= CommandState::succeeded; }
inline CommandState state_of(const CommandRow& row) { return row.steps.back().state; }
// Whether a command in `from` may go to `to`: forward, and never out of an end.
bool may_follow(CommandState from, CommandState to);
// What a device may say of its own command.
bool device_may_report(CommandState state);

class Ledger {
 public:
  using Commands = std::map<Bytes, CommandRow, std::less<>>;  // By id.

  void put(const CommandRow& row);
  void erase(BytesView device, BytesView id);
  const CommandRow* find(BytesView device, BytesView id) const;
  // By time of creation, oldest first.
  std::vector<const CommandRow*> of(BytesView device) const;
  // The oldest ended command beyond what is kept; nullptr when there is room.
  const CommandRow* surplus(BytesView device) const;

  std::size_t open() const { return open_; }
  std::size_t ended() const { return ended_; }
  template <class Visitor>
  void each(Visitor&& visit) const {
    for (const auto& [device, commands] : devices_) {
      for (const auto& [id, row] : commands) visit(row);
    }
  }

 private:
  void count(const CommandRow& row, std::size_t by);

  std::map<Bytes, Commands, std::less<>> devices_;
  std::size_t open_ = 0;
  std::size_t ended_ = 0;
};

}  // namespace naru::broker

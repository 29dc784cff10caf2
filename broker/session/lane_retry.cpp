// LaneShard's part that takes clients out, and comes back to what the disk had no room for.

#include <utility>

#include "broker/session/lane_shard.hpp"
#include "cluster/lanes/lane_id.hpp"

namespace naru::broker {

using namespace storage;  // NOLINT: the records are the vocabulary of this file.

namespace {
constexpr std::uint8_t taken_over = 0x8e;
}  // namespace

// The connection of this epoch has ended. Again and again, until that is on disk.
void LaneShard::leave(Leave& left) {
  const hop::Detach& detach = left.detach;
  LaneState& lane = led(cluster::lane_of(detach.client_id));
  Client* const client = lane.find_client(detach.client_id);
  if (client == nullptr || client->row.epoch != left.epoch) {
    leaving_.erase(Bytes{detach.client_id});
    return;
  }
  leaving_[detach.client_id] = left;
  if (client->session) {
    part(lane, *client->session);
    client->session->volatile_inbound.clear();
  }
  Unit unit{*this};
  SessionRow row = client->row;
  row.connected = false;
  row.changed_at = store_now_;
  row.changed_wall = wall_;
  row.reason = detach.reason;
  if (detach.expiry_s) row.expiry_s = *detach.expiry_s;
  const bool ends = row.number == 0 || row.expiry_s == 0;
  if (!detach.publish_will) row.will.reset();
  if (row.will && (ends || row.will->delay_s == 0)) fire_will(lane, detach.client_id, row, unit);
  if (row.will) row.will_due_at = store_now_ + std::uint64_t{row.will->delay_s} * 1000;
  // A will that is called off ought not to come back with the next start.
  const bool urgent = !unit.empty() || client->row.will.has_value();
  if (ends) {
    unit.add(lane, SessionErased{detach.client_id, row.number});
  } else {
    unit.add(lane, SessionPut{detach.client_id, std::move(row), 0});
  }
  busy_[detach.client_id];
  unit.submit(urgent);
}

// What a client did is not on disk: a refused one is not there, one that left has to be taken out
// later, and what was due is due again.
void LaneShard::fail_client(LaneState& lane, const Bytes& client_id) {
  if (is_group(client_id)) {
    const auto busy = busy_.find(client_id);
    if (busy == busy_.end()) return;
    failed_groups_[client_id] = std::move(busy->second);
    return busy_.erase(busy), void();
  }
  const Client* const client = lane.find_client(client_id);
  const std::uint64_t epoch = client == nullptr ? 0 : client->row.epoch;
  const auto presence = present_.find(client_id);
  if (presence != present_.end() && presence->second->epoch != epoch) present_.erase(presence);
  if (client != nullptr && !client->row.connected) {
    set_dues(lane, client_id, client->row);
  } else if (client != nullptr && !present_.contains(client_id)) {
    leaving_.try_emplace(client_id,
                         Leave{hop::Detach{0, client_id, true, taken_over, std::nullopt}, epoch});
  }
  settle_client(client_id);
}

void LaneShard::retry_failed() {
  if (failing_) return;
  for (const auto& [lane_id, number] : std::exchange(failed_cursors_, {})) {
    LaneState& lane = led(lane_id);
    if (Session* const session = lane.find_session(number)) touch(lane, *session);
  }
  for (const OriginForgotten& origin : std::exchange(failed_forgets_, {})) {
    on(hop::OriginForget{origin});
  }
  for (const FailedCommand& failed : std::exchange(failed_commands_, {})) retry_command(failed);
  retry_retained();
  retry_groups();
  std::vector<Leave> again;
  for (const auto& [client_id, leave] : leaving_) {
    if (!busy_.contains(client_id)) again.push_back(leave);
  }
  for (Leave& each : again) leave(each);
}

}  // namespace naru::broker

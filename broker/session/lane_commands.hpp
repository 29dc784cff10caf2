// broker/session/lane_commands.hpp
//
// LaneCommands carries commands: from the API into the ledger and to the device, and the device's
// word back. A command for a lasting session is a place in its queue, which drives its states; to a
// clean one the ledger offers it.
//
// Sans-IO. Lives on one shard. Owned by LaneParts.
// Bounded by: what the ledger keeps of each device, and what the disk has room for.
#pragma once

#include <vector>

#include "broker/session/lane_context.hpp"
#include "broker/session/presence.hpp"
#include "broker/session/publisher.hpp"

namespace naru::broker {

struct LaneParts;

class LaneCommands {
 public:
  LaneCommands(LaneContext& context, LaneParts& parts, Publisher& publisher)
      : context_(context), parts_(parts), publisher_(publisher) {}

  // For the API; `request` is answered when it is on disk.
  void submit(const NewCommand& command, std::uint64_t request);
  bool cancel(BytesView device, BytesView id, std::uint64_t request);  // False: it has ended.

  void on(const hop::CommandOffer& offer);
  void on(const hop::CommandAcked& acked);
  void on(hop::CommandReply& reply);
  // The queue has sent it, or its device has it.
  void step(LaneState& lane, BytesView device, BytesView id, storage::CommandState state,
            bool urgent);
  void due(LaneState& lane, BytesView name);  // Nobody has answered it in time.
  void committed(LaneState& lane, const storage::CommandRow& row);
  // Its record was not written: tried again by retry().
  void failed(LaneState& lane, const storage::CommandRow& row);
  void retry();
  // Those that wait in the ledger alone enter the session, where it has subscribed to them.
  void queue_all(LaneState& lane, BytesView device);
  // What follows from a command as it is now; also after a start.
  void follow(LaneState& lane, const storage::CommandRow& row);

 private:
  bool append_step(LaneState& lane, BytesView device, BytesView id, storage::CommandState state,
                   BytesView result, UnitDraft& unit);
  const storage::CommandRow* latest(LaneState& lane, BytesView device, BytesView id);
  void put(LaneState& lane, storage::CommandRow row, UnitDraft& unit, storage::MessageRef message);
  void forget_latest(const storage::CommandRow& row);
  Session* session_for(LaneState& lane, const storage::CommandRow& row);
  void queue(LaneState& lane, const storage::CommandRow& row);
  storage::MessageRef message_of(const storage::CommandRow& row);
  void offer(LaneState& lane, const storage::CommandRow& row, ConnectionId connection);
  void retry_one(const FailedCommand& failed);
  void withdraw(LaneState& lane, Session& session, const storage::CommandRow& row);
  PendingUnit* pending_step(BytesView device, BytesView id);

  LaneContext& context_;
  LaneParts& parts_;
  Publisher& publisher_;
  TextMap<LatestCommand> latest_;  // With a record on its way, as they will be.
  std::vector<FailedCommand> failed_;
};

}  // namespace naru::broker
